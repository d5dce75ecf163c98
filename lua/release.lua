-- Releases jobs that the worker has in flight and has not started, or cannot finish: puts them back at the end of the
-- stream, or in their places in the room, for every worker at once, with no attempt used.
--
-- KEYS stream prefix calls
-- ARGV 1 group  2 consumer  3 first  4 last   as in lib/end-batch.lua
--      5 others   ms: release only if another worker of the group has read within so many ms; '' = in any case
--      per job: entry id; the new bytes of the Job if its attempt counter must include crashes, else ''
--      call       see lib/call-replies.lua
-- Reply { released, … }: how many were released; -1 = there is no other worker, and nothing was changed. Then, of jobs that
--      stay as they are, the index (from 1): positive = the lease is no longer the caller's; negative = the job was cancelled
--      (cancel.lua).
--
-- Races
--   Worker dead halfway: a job is added again in the same step in which its entry is removed.
--   Lease lost, rolled back, sent twice, reply lost: as in complete.lua.
--   Memory full: the lease of a job ends before the job is added again, because the limit forbids XADD as the first write.
--   Cancelled meanwhile: as in retry.lua.

-- @include lib/end-batch
-- @include lib/seal
-- @include lib/lease
-- @include lib/put-back

local stream, prefix, calls = KEYS[1], KEYS[2], KEYS[3]
local batch = { group = ARGV[1], consumer = ARGV[2], first = ARGV[3], last = ARGV[4] }
local group, call = batch.group, ARGV[#ARGV]

local said = kept_reply(calls, call)
if said then
  return said
end
-- Before a lease has ended: a job that cannot be released stays pending, and its lease runs out.
local sealed = seal_of(stream)
if sealed then
  return sealed
end
if ARGV[5] ~= '' and not has_other_worker(consumers_of(stream, group), batch.consumer, tonumber(ARGV[5])) then
  return keep_reply(calls, call, { -1 })
end
local entries = {}
for i = 6, #ARGV - 1, 2 do
  entries[#entries + 1] = ARGV[i]
end
local reply = { 0 }
local done, left_out = fence_batch(stream, prefix, batch, entries, reply)

for i, id in ipairs(entries) do
  local entry = not left_out[i] and redis.call('XRANGE', stream, id, id)[1]
  if entry then
    redis.call('XACK', stream, group, id)
    put_back(stream, prefix, id, entry[2], ARGV[5 + 2 * i])
    reply[1] = reply[1] + 1
  end
end
acknowledge(stream, group, done)
remove(stream, done, false)
tell_workers(stream, prefix)
return keep_reply(calls, call, reply)
