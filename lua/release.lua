-- Gives jobs back that this worker holds and has not started, or cannot finish: back to the end of the stream, at once
-- readable for every worker, with no attempt used.
--
-- KEYS stream prefix calls
-- ARGV 1 group  2 consumer  3 first  4 last
--      5 others   '' or ms: only if another worker of the group has read within so many ms
--      then, per job: entry id, and the new bytes where the attempt counter must carry crashes over, else ''
--      then call (see answer.lua)
-- Reply { given, cancelled… }: how many were given back, -1 where there is no other worker to take them; then indices
--      (from 1) of jobs that were cancelled (cancel.lua): they stay with their worker, to be ended.
--
-- Races: as in complete.lua. A job is added again in the same step in which its entry is removed.

-- @include lib/owned
-- @include lib/answer
-- @include lib/cancelled
-- @include lib/open
-- @include lib/envelope

local stream, prefix, calls, group = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local call = ARGV[#ARGV]

local said = answered(calls, call)
if said then
  return said
end
-- Before a lease has ended: a job that cannot be given back stays pending, and its lease runs out.
local full = sealed(stream)
if full then
  return full
end
if ARGV[5] ~= '' then
  local others = 0
  for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
    local of = {}
    for i = 1, #consumer, 2 do
      of[consumer[i]] = consumer[i + 1]
    end
    if of.name ~= ARGV[2] and of.idle < tonumber(ARGV[5]) then
      others = others + 1
    end
  end
  if others == 0 then
    return answer(calls, call, { -1 })
  end
end
local own = owned_between(stream, group, ARGV[2], ARGV[3], ARGV[4])
local cancelled = cancelled_among(prefix, own)
local done = {}
local reply = { 0 }
for i = 6, #ARGV - 1, 2 do
  local id = ARGV[i]
  if cancelled[id] then
    reply[#reply + 1] = (i - 4) / 2
  elseif own[id] then
    done[#done + 1] = id
    own[id] = nil
    local entry = redis.call('XRANGE', stream, id, id)[1]
    if entry then
      local fields = entry[2]
      local job_id, keep
      for f = 1, #fields, 2 do
        if fields[f] == 'd' then
          if ARGV[i + 1] ~= '' then
            fields[f + 1] = ARGV[i + 1]
          end
          job_id = job_id_of(fields[f + 1])
        elseif fields[f] == 'u' then
          keep = fields[f + 1]
        end
      end
      local command = { 'XADD', stream, '*' }
      for f = 1, math.min(#fields, 4000) do
        command[#command + 1] = fields[f]
      end
      -- The memory limit forbids an XADD as the first write: end the lease first, in the same atomic step.
      redis.call('XACK', stream, group, id)
      local added = redis.call(unpack(command))
      reply[1] = reply[1] + 1
      if job_id and keep then
        redis.call('SET', prefix .. 'dlid:' .. job_id, keep .. ':' .. added, 'XX', 'KEEPTTL')
      end
    end
  end
end
finish(stream, group, done)
return answer(calls, call, reply)
