-- Cancels delayed jobs and pending retries by id.
--
-- KEYS delayed prefix
-- ARGV per job: job id, and its delayed member where the caller has found it, else '' (then the index knows it, if the
--      id was the caller's)
-- Reply { 1 or 0 per job }: 1 = it was still in the delayed set and is gone now
--
-- Races: cancel and promotion are single steps on one slot; "cancelled" and "delivered" exclude each other.
local delayed, prefix = KEYS[1], KEYS[2]
local reply = {}
for i = 1, #ARGV, 2 do
  local id = ARGV[i]
  local member = ARGV[i + 1] ~= '' and ARGV[i + 1] or redis.call('GET', prefix .. 'didx:' .. id)
  local removed = member and redis.call('ZREM', delayed, member) or 0
  if removed == 1 then
    redis.call('DEL', prefix .. 'didx:' .. id, prefix .. 'dlid:' .. id)
  end
  reply[#reply + 1] = removed
end
return reply
