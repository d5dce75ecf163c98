-- Looks for jobs where those are that move at this time, in one step: in the newest entries of the work stream, among the delayed jobs
-- that are due next, and in the newest dead letters. A search that reads all places one after the other may miss a job that moves
-- meanwhile; this does not. Writes nothing.
--
-- KEYS stream delayed dlq prefix
-- ARGV 1 stream_after  2 dlq_after   look at what was added after these ids; '' = only at the last few
--      then the jobs that are asked for: see lib/job-filter.lua
-- Reply { all, last entry id, last dead letter id, now, number, row… }: all is 1 if everything was looked at that was added after the two ids;
--      the last ids are those that were given out last, and their entries may be gone; now in unix ms; number is the one that the room gave out last
--      (lib/room.lua): the room is not looked at; rows: see lib/job-rows.lua

-- @include lib/job-rows
-- @include lib/time

local stream, delayed, dlq = KEYS[1], KEYS[2], KEYS[3]
local is_asked_for = read_filter(3)
local FEW, BYTES = 100, 131072

local function last_id(of)
  return redis.call('EXISTS', of) == 1 and table_of(redis.call('XINFO', 'STREAM', of))['last-generated-id'] or '0-0'
end

local number = redis.call('HGET', KEYS[4] .. 'gate', 'seq') or '0'
local reply = { 1, last_id(stream), last_id(dlq), decimal(now_ms()), number }
local function look_at(of, after, visit)
  local range = { from = '+', to = '-', newest_first = true, entries = FEW, bytes = BYTES }
  if after ~= '' then
    range = { from = '(' .. after, to = '+', entries = FEW, bytes = BYTES }
  end
  if each_page(of, range, visit) ~= '' and after ~= '' then
    reply[1] = 0
  end
end

local groups = groups_of(stream)
look_at(stream, ARGV[1], function(entries)
  local owners = pending_of(stream, groups, entries)
  for i = 1, #entries do
    local fields = entries[i][2]
    if is_asked_for(field_of(fields, 'n') or '', field_of(fields, 'd') or '') then
      reply[#reply + 1] = entry_row(entries[i], owners[entries[i][1]])
    end
  end
end)
local bytes = 0
for rank = 0, FEW - 1, 10 do
  local members = redis.call('ZRANGE', delayed, rank, rank + 9, 'WITHSCORES')
  for i = 1, #members, 2 do
    bytes = bytes + #members[i]
    if is_asked_for(split_member(members[i])) then
      reply[#reply + 1] = member_row(members[i], members[i + 1])
    end
  end
  if #members < 20 or bytes >= BYTES then
    break
  end
end
look_at(dlq, ARGV[2], function(letters)
  for i = 1, #letters do
    local fields = letters[i][2]
    if is_asked_for(field_of(fields, 'n') or '', field_of(fields, 'd') or '') then
      reply[#reply + 1] = letter_row(letters[i])
    end
  end
end)
return reply
