-- What Redis keeps of a tracked job, beside the job itself:
--   job:<id>       a string, from the end of the job on. 'f' and the id of its dead letter; or a record of how it completed,
--                  with numbers in big-endian order: 'c'; u48 unix ms of the start and of the end; u32 the attempt that
--                  completed; u32 length of the result, 0xffffffff = it has none; u16 length of the worker, u16 length of
--                  the name; then the msgpack result, the worker, the name, and the msgpack Job
--   job-runs:<id>  a hash: a JSON object per attempt, under its number, and the progress as JSON
--   job-logs:<id>  a list of rows
--   completed      a sorted set of the ids of completed jobs, by unix ms
-- Beside the numbers of attempts, `job-runs` has `progress`, and `before`: the attempts before the last replay, as JSON objects
-- with a comma between them.
-- A worker packs what a script writes here into one string of frames, because most batches have many tracked jobs or none.

-- @include lib/time

-- The most attempts of a job that are kept.
local MOST_ATTEMPTS = 100
-- The most jobs that one call trims.
local MOST_TRIMMED = 1000

local function delete_keys(keys)
  -- In slices: `unpack` fails near 8,000 values.
  for from = 1, #keys, 4000 do
    -- A log may have many rows.
    redis.call('UNLINK', unpack(keys, from, math.min(from + 3999, #keys)))
  end
end

local function add_tracked(keys, prefix, id)
  keys[#keys + 1] = prefix .. 'job:' .. id
  keys[#keys + 1] = prefix .. 'job-runs:' .. id
  keys[#keys + 1] = prefix .. 'job-logs:' .. id
end

-- Forgets what is kept of jobs that have completed, or whose ids a new job takes. Accepts an index of the wrong type: tracking
-- never fails a job. `keys`: what to delete beside it, if anything.
local function forget_tracked(prefix, ids, keys)
  keys = keys or {}
  for i = 1, #ids do
    add_tracked(keys, prefix, ids[i])
  end
  delete_keys(keys)
  for from = 1, #ids, 4000 do
    redis.pcall('ZREM', prefix .. 'completed', unpack(ids, from, math.min(from + 3999, #ids)))
  end
end

-- The result in a record of a completed job; nil if it has none. The second value is true if the record is one.
local function result_of(record)
  if string.byte(record, 1) ~= 99 or #record < 25 then
    return nil, false
  end
  local length = struct.unpack('>I4', record, 18)
  if length == 4294967295 then
    return nil, true
  end
  return string.sub(record, 26, 25 + length), true
end

-- The name and the Job in a record of a completed job; nil if it is no such record.
local function job_of_record(record)
  if type(record) ~= 'string' or string.byte(record, 1) ~= 99 or #record < 25 then
    return nil
  end
  local result, worker, name = struct.unpack('>I4I2I2', record, 18)
  local from = 26 + (result == 4294967295 and 0 or result) + worker
  return string.sub(record, from, from + name - 1), string.sub(record, from + name)
end

-- Removes the oldest completed jobs: those beyond the newest `most`, and those that ended before `oldest`. Either may be nil.
local function trim_completed(prefix, most, oldest)
  local index, ids = prefix .. 'completed', {}
  local extra = most and redis.call('ZCARD', index) - most or 0
  if extra > 0 then
    ids = redis.call('ZRANGE', index, 0, math.min(extra, MOST_TRIMMED) - 1)
  end
  if oldest then
    -- Both lists begin with the oldest job, so the longer one contains the other.
    local aged = redis.call('ZRANGEBYSCORE', index, '-inf', '(' .. decimal(oldest), 'LIMIT', 0, MOST_TRIMMED)
    ids = #aged > #ids and aged or ids
  end
  if #ids > 0 then
    forget_tracked(prefix, ids)
  end
end

-- Writes attempts that have failed. A frame: u16 index of the job, u16 length and job id, u8 length and number of the
-- attempt, u32 length and the attempt.
local function write_attempts(prefix, frames, left_out)
  local at, read = 1, struct.unpack
  local index, id, number, attempt
  while at <= #frames do
    index, id, number, attempt, at = read('>I2I2c0I1c0I4c0', frames, at)
    if not left_out[index] then
      local runs = prefix .. 'job-runs:' .. id
      redis.pcall('HSET', runs, number, attempt)
      if tonumber(number) > MOST_ATTEMPTS then
        redis.pcall('HDEL', runs, decimal(number - MOST_ATTEMPTS))
      end
    end
  end
end

-- The attempts of a job start again at 1: keeps the earlier ones apart.
local MOST_BEFORE = 262144
local function archive_attempts(prefix, id)
  local runs = prefix .. 'job-runs:' .. id
  local fields = redis.pcall('HGETALL', runs)
  local numbers, attempts, before = {}, {}, nil
  for f = 1, #fields, 2 do
    local number = tonumber(fields[f])
    if number then
      numbers[#numbers + 1] = number
      attempts[number] = fields[f + 1]
    elseif fields[f] == 'before' then
      before = fields[f + 1]
    end
  end
  if #numbers == 0 then
    return
  end
  table.sort(numbers)
  local names, all = {}, {}
  for i = 1, #numbers do
    names[i] = decimal(numbers[i])
    all[i] = attempts[numbers[i]]
  end
  local archive = table.concat(all, ',')
  if before and #before + #archive < MOST_BEFORE then
    archive = before .. ',' .. archive
  end
  redis.call('HDEL', runs, unpack(names))
  redis.call('HSET', runs, 'before', archive)
end
