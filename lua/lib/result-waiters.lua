-- Tells result waiters which jobs have ended: one entry of the stream `ended` for all jobs of a call. The key `waiters`
-- exists while there are result waiters; without it nothing is written.
--
-- The entry has one field: how the jobs ended ('completed' or 'dead'), and their frames. A frame: u16 length and job id,
-- u32 length and the msgpack result, or the reason why there is none. Length 0 = nothing is stored; 0xffffffff = the value
-- is stored in its own key only.
--
-- A failure here never fails a job: result waiters also poll.
local function has_waiters(prefix)
  return redis.call('EXISTS', prefix .. 'waiters') == 1
end

local function ended_frame(id, value)
  if #value > 256 then
    return struct.pack('>I2c0I4', #id, id, 4294967295)
  end
  return struct.pack('>I2c0I4c0', #id, id, #value, value)
end

-- Remembers for `ttl_ms` why a job has no result. `told`: the frames of the call; false if nobody waits.
local function remember_failure(prefix, id, reason, detail, ttl_ms, told)
  local why = detail == '' and reason or (reason .. '\n' .. detail)
  redis.call('SET', prefix .. 'failed:' .. id, why, 'PX', ttl_ms)
  if told then
    told[#told + 1] = ended_frame(id, why)
  end
end

local function tell_waiters(prefix, how, frames)
  if #frames == 0 then
    return
  end
  local key = prefix .. 'ended'
  redis.pcall('XADD', key, 'MAXLEN', '~', 256, '*', how, table.concat(frames))
  redis.pcall('PEXPIRE', key, 60000)
end

-- Of jobs that are gone without a result or a dead letter. `how`: 'removed' or 'dropped'.
local function tell_gone(prefix, how, ids)
  if #ids == 0 or not has_waiters(prefix) then
    return
  end
  local frames = {}
  for i = 1, #ids do
    redis.pcall('SET', prefix .. 'failed:' .. ids[i], how, 'PX', 60000)
    frames[i] = ended_frame(ids[i], how)
  end
  tell_waiters(prefix, 'dead', frames)
end
