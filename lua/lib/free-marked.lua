-- Jobs that were removed, and whose ids are the callers'.
-- @include lib/tracked
-- @include lib/dedup-of-job

-- These ids are free, and nothing is kept of their jobs. `bodies`: the bytes of these jobs.
local function free_marked(prefix, ids, bodies)
  if #ids == 0 then
    return
  end
  local keys = {}
  for i = 1, #ids do
    keys[#keys + 1] = prefix .. 'dlid:' .. ids[i]
    keys[#keys + 1] = prefix .. 'didx:' .. ids[i]
  end
  redis.call('UNLINK', unpack(keys))
  forget_tracked(prefix, ids)
  for i = 1, #ids do
    free_dedup(prefix .. 'stream', prefix .. 'delayed', prefix, ids[i], bodies[i])
  end
end
