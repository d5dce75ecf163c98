-- Deletes the keys of single jobs that are not there any more, and the counts by the minute, in a slice of the keys of the
-- server.
--
-- KEYS stream delayed dlq repeat prefix
-- ARGV 1 cursor  as SCAN takes it, '0' = begin  2 count  about how many keys of the server to look at; never more than
--      1,000
-- Reply { cursor, deleted }: cursor is '0' at the end
--
-- SCAN runs in a script, so that it runs on the node of a cluster that has the queue.
--
-- Races
--   A job is added meanwhile: its keys stay, because the job is where its marker says.
--   Sent twice: the second call deletes what is left.
--   The slot moves to another node: the cursor means another place there, so some keys may be left. They belong to no job.
--   Memory full: see lib/full-memory.lua.

-- @include lib/live-job
-- @include lib/dedup
-- @include lib/full-memory

local stream, delayed, dlq, schedules, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

-- Whether a job of this id is live, and so younger than the call that deletes the queue.
local function is_live(id)
  if redis.call('SISMEMBER', prefix .. 'delayed:unique', id) == 1 then
    return true
  end
  local entry = string.match(text_of(prefix .. 'dlid:' .. id) or '', '^%d+:(%d+%-%d+)$')
  if entry then
    return is_entry_of(stream, entry, id)
  end
  local member = text_of(prefix .. 'didx:' .. id)
  return member and is_member(prefix .. 'room', member)
end

local function is_kept(id)
  if is_live(id) or redis.call('ZSCORE', prefix .. 'completed', id) then
    return true
  end
  -- The record of a completed job may be large. A key of another type says nothing.
  local kept = redis.pcall('GETRANGE', prefix .. 'job:' .. id, 0, 64)
  local letter = type(kept) == 'string' and string.match(kept, '^f(%d+%-%d+)$')
  return letter and #redis.call('XRANGE', dlq, letter, letter) > 0
end

-- Per kind of key: whether it stays. Keys of other kinds stay: they are those of the queue itself, or expire.
local STAYS = {
  dlid = is_live,
  didx = is_live,
  dedup = function(id)
    local job = holder_of(dedup_key(prefix, id))
    return job and is_live(job)
  end,
  job = is_kept,
  ['job-runs'] = is_kept,
  ['job-logs'] = is_kept,
  result = is_kept,
  failed = is_kept,
  metrics = function()
    return false
  end,
  cancelled = function(entry)
    return #redis.call('XRANGE', stream, entry, entry) > 0
  end,
}
local function stays(key)
  local name = string.sub(key, #prefix + 1)
  local kind, rest = string.match(name, '^([%w-]+):(.*)$')
  if STAYS[kind] then
    return STAYS[kind](rest)
  end
  local worker = string.match(name, '^wake:worker:(.*)$')
  if worker then
    return redis.call('EXISTS', prefix .. 'worker:' .. worker) == 1
  end
  local schedule = string.match(name, '^repeat:spec:(.*)$')
  if schedule then
    return redis.call('ZSCORE', schedules, schedule)
  end
  return true
end

allow_writes_at_memory_limit(prefix)
local pattern = string.gsub(prefix, '[%*%?%[%]\\%^%-]', '\\%0') .. '*'
local page = redis.call('SCAN', ARGV[1], 'MATCH', pattern, 'COUNT', math.min(ARGV[2], 1000))
local deleted = {}
for _, key in ipairs(page[2]) do
  if not stays(key) then
    deleted[#deleted + 1] = key
  end
end
-- In slices: `unpack` fails near 8,000 values.
for from = 1, #deleted, 4000 do
  redis.call('UNLINK', unpack(deleted, from, math.min(from + 3999, #deleted)))
end
return { page[1], #deleted }
