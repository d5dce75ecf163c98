-- Removes jobs from a slice of the delayed set.
--
-- KEYS delayed events prefix calls
-- ARGV 1 from  2 skip   where to begin: a score, and how many members of that score stay; '-inf' and 0 = at the start
--      3 before         only jobs that were added before this time, unix ms; '' = all
--      4 most           how many jobs are removed at most
--      5 with_ids       '1' = reply with the ids of the jobs
--      6 events_cap     0 = no events
--      7 group          only jobs of this group; '' = all
--      call             see lib/call-replies.lua
-- Reply { next, removed, id… }: next is '' at the end, else the score and the number to go on with, with a space between them.
--
-- Races
--   Promotion: it and this script are single steps on one slot, so a job is either promoted or removed.
--   Sent twice, reply lost: the second call gets the reply of the first.
--   Memory full: see lib/full-memory.lua.

-- @include lib/envelope
-- @include lib/split-job
-- @include lib/delayed-member
-- @include lib/call-replies
-- @include lib/full-memory
-- @include lib/result-waiters
-- @include lib/cleaned
-- @include lib/free-marked
-- @include lib/groups
-- @include lib/forget-gate

local delayed, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local before, most, only, call = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[7], ARGV[#ARGV]
local said = kept_reply(calls, call)
if said then
  return said
end
-- How many members, and how many bytes, one call looks at.
local LOOKS, BYTES = 1000, 524288

local ids, bodies = {}, {}
local has_slots = redis.call('ZCARD', prefix .. 'slots') > 0
-- Of the members that stay: the score of the last one, and how many at that score.
local from, skip = ARGV[1], tonumber(ARGV[2])
-- The rank of the next member. An offset into a score would cost as much as the members that it passes over.
local rank = (from == '-inf' and 0 or redis.call('ZCOUNT', delayed, '-inf', '(' .. from)) + skip
local function is_taken(member, score)
  local _, d = split_member(member)
  local created = before and created_at_of(d)
  -- Most jobs of other groups do not have the bytes of the id anywhere.
  local is_other = only ~= '' and (not string.find(d, only, 1, true) or room_place_of(d) ~= only)
  if is_other or before and (not created or created >= before) then
    skip = score == from and skip + 1 or 1
    from, rank = score, rank + 1
    return false
  end
  ids[#ids + 1] = job_id_of(d) or ''
  bodies[#ids] = d
  return true
end

-- A key of the wrong type fails here, before anything is written.
redis.call('SCARD', prefix .. 'delayed:unique')
allow_writes_at_memory_limit(prefix)
local page, looks, bytes = 1, 0, 0
local is_last
repeat
  page = math.min(page, most - #ids)
  local found = redis.call('ZRANGE', delayed, rank, rank + page - 1, 'WITHSCORES')
  local read, taken = 0, {}
  for i = 1, #found, 2 do
    read = read + #found[i]
    if is_taken(found[i], found[i + 1]) then
      taken[#taken + 1] = found[i]
    end
  end
  if #taken > 0 then
    redis.call('ZREM', delayed, unpack(taken))
    -- A strict group goes on when the job that it waited for is gone.
    for i = 1, has_slots and #taken or 0 do
      move_hold(prefix, bodies[#ids - #taken + i], taken[i])
    end
  end
  is_last = #found < 2 * page
  looks, bytes = looks + page, bytes + read
  page = math.max(1, math.min(40, math.floor(131072 * #found / (read + 1))))
until is_last or #ids >= most or looks >= LOOKS or bytes >= BYTES

if #ids > 0 then
  local unique = prefix .. 'delayed:unique'
  local marked, marked_bodies = {}, {}
  if redis.call('EXISTS', unique) == 1 then
    for i, is_marked in ipairs(redis.call('SMISMEMBER', unique, unpack(ids))) do
      if is_marked == 1 then
        marked[#marked + 1] = ids[i]
        marked_bodies[#marked] = bodies[i]
      end
    end
  end
  if #marked > 0 then
    redis.call('SREM', unique, unpack(marked))
  end
  free_marked(prefix, marked, marked_bodies)
  tell_gone(prefix, 'removed', ids)
  forget_gate(prefix)
  announce_cleaned(events, tonumber(ARGV[6]), #ids, 'delayed')
end
return keep_reply(calls, call, step_reply(is_last and '' or from .. ' ' .. skip, ids, ARGV[5]))
