-- Who has a deduplication id. The hash `dedup:<deduplication id>` says it:
--   job   the job that has the id. If the hash expires (the option `ttl`), the id is taken for as long as the hash is there.
--         Else the id is taken while this job lives, and its marker says that (lib/live-job.lua). So an id whose job is gone is
--         free, also if no script has said so.
--   next  the job that is parked until that one has ended (the option `keepLastIfActive`)
--   due   unix ms: the parked job does not start earlier
-- A parked job is in the delayed set, like any other. The hash `dedup:parked` has its id and its deduplication id. When the
-- job before it has ended, it becomes due. Should nobody say that (a worker of an earlier version does not), then the promoter
-- finds out: a parked job is looked at once a minute (lib/promotion.lua).
-- @include lib/locate-job
-- @include lib/time

local PARKED_MS = 60000

local function dedup_key(prefix, dedup)
  return prefix .. 'dedup:' .. dedup
end

-- The job that the hash names, the parked one, and its due time; nil for each that it does not say. Somebody else may have
-- written a key of another type: it says nothing.
local function holder_of(key)
  local said = redis.pcall('HMGET', key, 'job', 'next', 'due')
  return said[1] or nil, said[2] or nil, said[3] or nil
end

local function is_dedup_taken(stream, delayed, prefix, key, job)
  return job ~= nil and (redis.call('PTTL', key) >= 0 or life_of(stream, delayed, prefix, job) == 'live')
end

-- Writes a field of a hash. A key of another type was written by somebody else, and is replaced.
local function set_field(key, field, value)
  local reply = redis.pcall('HSET', key, field, value)
  if type(reply) == 'table' then
    if string.find(reply.err, 'WRONGTYPE', 1, true) then
      redis.call('DEL', key)
    end
    redis.call('HSET', key, field, value)
  end
end

-- The job that had the id has ended: the parked job has it now, and is due.
local function hand_over_dedup(stream, delayed, prefix, key, next_job, due)
  redis.pcall('HDEL', prefix .. 'dedup:parked', next_job)
  local state, member = locate(stream, delayed, prefix, next_job, '', '')
  if state == 'delayed' then
    local at = decimal(math.max(now_ms(), tonumber(due) or 0))
    redis.call('ZADD', delayed, 'XX', at, member)
    -- The job is due, even if the wake key has the wrong type.
    redis.pcall('XADD', prefix .. 'wake:promoter', 'MAXLEN', 1, '*', 'due', at)
  end
  if state and state ~= 'ended' then
    redis.call('HSET', key, 'job', next_job)
    redis.call('HDEL', key, 'next', 'due')
  else
    redis.call('DEL', key)
  end
end

-- A delayed job is to start at another time. If it is parked, it starts no earlier, and not before the job before it has ended. Returns
-- whether it is parked.
local function move_parked(prefix, id, due)
  local dedup = redis.pcall('HGET', prefix .. 'dedup:parked', id)
  if type(dedup) ~= 'string' then
    return false
  end
  local key = dedup_key(prefix, dedup)
  local _, next_job = holder_of(key)
  if next_job == id then
    redis.call('HSET', key, 'due', decimal(due))
  end
  return true
end

-- A job with this deduplication id has ended, or was removed. Then a `ttl` ends with it.
local function release_dedup(stream, delayed, prefix, dedup, id, is_removed)
  local key = dedup_key(prefix, dedup)
  local job, next_job, due = holder_of(key)
  if next_job == id then
    redis.pcall('HDEL', prefix .. 'dedup:parked', id)
    redis.call('HDEL', key, 'next', 'due')
  elseif job == id then
    if next_job then
      hand_over_dedup(stream, delayed, prefix, key, next_job, due)
    elseif is_removed or redis.call('PTTL', key) < 0 then
      redis.call('DEL', key)
    end
  end
end

-- The same for jobs of a batch that have ended. A frame: u16 index of the job (from 1), u16 length and job id, u16 length and
-- deduplication id. `left_out`: indices of jobs that have not ended.
local function release_ended(stream, prefix, frames, left_out)
  local at, read = 1, struct.unpack
  while at <= #frames do
    local index, id, dedup
    index, id, dedup, at = read('>I2I2c0I2c0', frames, at)
    if not left_out[index] then
      release_dedup(stream, prefix .. 'delayed', prefix, dedup, id)
    end
  end
end
