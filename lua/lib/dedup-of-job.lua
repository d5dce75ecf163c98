-- The deduplication id of a Job, from its bytes.
-- @include lib/dedup
-- @include lib/extras

-- Returns the id, and whether it is taken for a fixed time (the option `ttl`); nil if the Job has none.
local function dedup_of(d)
  -- Most jobs have none.
  if not string.find(d, '\165dedup', 1, true) then
    return nil
  end
  local readable, said = pcall(cmsgpack.unpack, extra_of(d, 'dedup') or '')
  if not readable or type(said) ~= 'table' or type(said.id) ~= 'string' then
    return nil
  end
  return said.id, said.ttl ~= nil
end

-- A job was removed: its deduplication id is free.
local function free_dedup(stream, delayed, prefix, id, d)
  local dedup = dedup_of(d)
  if dedup then
    release_dedup(stream, delayed, prefix, dedup, id, true)
  end
end

-- A job starts over, because it is replayed. Returns whether it may: no other job has its deduplication id. Then, if it takes the
-- id again, the key to write to: an id that was taken for a fixed time is not taken again.
local function may_start_over(stream, delayed, prefix, id, d)
  local dedup, for_a_time = dedup_of(d)
  if not dedup or for_a_time then
    return true
  end
  local key = dedup_key(prefix, dedup)
  local job = holder_of(key)
  return job == id or not is_dedup_taken(stream, delayed, prefix, key, job), key
end
