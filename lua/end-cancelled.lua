-- Ends jobs that were cancelled while this worker held them: they leave no dead letter, for nothing is wrong with them.
--
-- KEYS stream events prefix calls
-- ARGV 1 group  2 consumer  3 first  4 last  5 jobs  6 unannounced   as in complete.lua
--      7 events_cap   0 = no events
--      8 remember_ms  for how long `failed:<job id>` tells whoever waits for a result that there will be none
--      then, per job: entry id, job id, name, the attempt that was cancelled, its duration in µs, '1' if the id was the
--      caller's else ''
--      then gaps (see owned.lua), call (see answer.lua)
-- Reply { lost… }: indices (from 1) of jobs whose lease is no longer ours.
--
-- Races: as in complete.lua.

-- @include lib/owned
-- @include lib/answer
-- @include lib/events
-- @include lib/ended

local stream, events, prefix, calls = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local group = ARGV[1]
local jobs, unannounced, cap = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local gaps, call = ARGV[#ARGV - 1], ARGV[#ARGV]

local said = answered(calls, call, {})
if said then
  return said
end
local own = owned_between(stream, group, ARGV[2], ARGV[3], ARGV[4])
local done, lost, ended = {}, {}, {}
for i = 1, jobs do
  local entry = ARGV[9 + (i - 1) * 6]
  if own[entry] then
    done[#done + 1] = entry
    ended[i] = true
    -- Once: a batch that has it twice ran it twice.
    own[entry] = nil
  else
    lost[#lost + 1] = i
  end
end
finish(stream, group, done, jobs, ARGV[3], ARGV[4], gaps)

local ts = decimal(now_ms())
local told = #done > 0 and somebody_waits(prefix) and {}
for i = 1, jobs do
  local from = 9 + (i - 1) * 6
  local entry, id, name, attempt = ARGV[from], ARGV[from + 1], ARGV[from + 2], ARGV[from + 3]
  if ended[i] then
    redis.call('DEL', prefix .. 'cancelled:' .. entry)
    if id ~= '' then
      redis.call('SET', prefix .. 'failed:' .. id, 'cancelled', 'PX', ARGV[8])
      if told then
        told[#told + 1] = ended_frame(id, 'cancelled')
      end
    end
    if ARGV[from + 5] == '1' then
      redis.call('DEL', prefix .. 'dlid:' .. id)
    end
    if cap > 0 then
      local tag = name == '' and {} or { 'n', name }
      if i <= unannounced then
        redis.pcall('XADD', events, '*', 'e', 'active', 'id', id, 'ts', ts, 'attempt', attempt, unpack(tag))
      end
      redis.pcall('XADD', events, '*', 'e', 'failed', 'id', id, 'ts', ts, 'attempt', attempt, 'reason', 'cancelled', 'duration_us', ARGV[from + 4], 'cancelled', '1', unpack(tag))
    end
  end
end
if told then
  tell_ended(prefix, 'dead', told)
end
if cap > 0 and #done > 0 then
  if redis.call('XLEN', stream) == 0 then
    redis.pcall('XADD', events, '*', 'e', 'drained', 'id', '', 'ts', ts)
  end
  trim_events(events, cap)
end
return answer(calls, call, lost, #lost == 0)
