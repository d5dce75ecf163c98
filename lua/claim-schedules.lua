-- Decides whether the deployment of an owner may change the owner's schedules: not if a newer deployment has asked before.
--
-- KEYS prefix
-- ARGV 1 owner  2 generation  a whole number that grows with each deployment
-- Reply { 1 or 0 }: 1 = no newer deployment of the owner has asked; from now on, older ones get 0
--
-- Races: processes of two deployments may ask in any order; the greatest generation stays. Sent twice, the reply is the same.

local key = KEYS[1] .. 'repeat:owners'
local newest = tonumber(redis.call('HMGET', key, ARGV[1])[1] or -1)
local own = tonumber(ARGV[2])
if own > newest then
  redis.call('HSET', key, ARGV[1], ARGV[2])
end
return { own >= newest and 1 or 0 }
