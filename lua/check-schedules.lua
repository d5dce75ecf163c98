-- Checks schedules that this process knows. Writes nothing.
--
-- KEYS repeat prefix
-- ARGV key and revision of each schedule, in turns, as the caller knows them
-- Reply { { state, next, fired, stored, paused, field, value… } per schedule }: state 1 = it is there, next is its slot (of a
--      paused schedule: the slot that it was to fire), stored is when this definition was first stored ('0' if the hash does
--      not say it), and paused since when it is paused, '' = it is not; all in unix ms. The fields follow only if
--      the revision is not the caller's; state 2 = they would make the reply too large: ask again; 0 = it is missing, and
--      nobody removed it; -1 = it was removed, or it is over.

-- @include lib/paused-schedules
-- @include lib/removed-schedules

local MOST_BYTES = 16777216

local set, prefix = KEYS[1], KEYS[2]
local reply = {}
local bytes = 0
for i = 1, #ARGV, 2 do
  local key, hash = ARGV[i], prefix .. 'repeat:spec:' .. ARGV[i]
  local next_slot = redis.call('ZSCORE', set, key)
  local row
  if next_slot then
    local values = redis.call('HMGET', hash, 'revision', 'fired', 'stored', 'paused', 'slot')
    local paused = ''
    if is_paused(next_slot) then
      next_slot, paused = values[5] or next_slot, values[4] or '0'
    end
    row = { 1, next_slot, values[2] or '0', values[3] or '0', paused }
    if (values[1] or '') ~= ARGV[i + 1] then
      local length = redis.call('HSTRLEN', hash, 'payload')
      if bytes > 0 and bytes + length > MOST_BYTES then
        row[1] = 2
      else
        bytes = bytes + length
        for _, part in ipairs(redis.call('HGETALL', hash)) do
          row[#row + 1] = part
        end
      end
    end
  else
    row = { redis.call('EXISTS', removed_key(prefix, key)) == 1 and -1 or 0, '', '', '', '' }
  end
  reply[#reply + 1] = row
end
return reply
