-- Tells whoever waits for results which jobs have ended: one entry of `ended` for all jobs of a call, and only while
-- `waiters` says that somebody waits. `frames` holds per job: u16 length and job id, u32 length and the msgpack value,
-- or why there is none; length 0 = nothing is stored, 0xffffffff = it stands in its own key only.
-- A telling never fails a job: whoever waits looks by itself now and then.
local function somebody_waits(prefix)
  return redis.call('EXISTS', prefix .. 'waiters') == 1
end

local function ended_frame(id, value)
  if #value > 256 then
    return struct.pack('>I2c0I4', #id, id, 4294967295)
  end
  return struct.pack('>I2c0I4c0', #id, id, #value, value)
end

local function tell_ended(prefix, how, frames)
  if #frames == 0 then
    return
  end
  local key = prefix .. 'ended'
  redis.pcall('XADD', key, 'MAXLEN', '~', 256, '*', how, table.concat(frames))
  redis.pcall('PEXPIRE', key, 60000)
end

-- Jobs that are gone, `how` = 'removed' or 'dropped', and leave nothing behind: only who waits for them is told.
local function tell_gone(prefix, how, ids)
  if #ids == 0 or not somebody_waits(prefix) then
    return
  end
  local frames = {}
  for i = 1, #ids do
    redis.pcall('SET', prefix .. 'failed:' .. ids[i], how, 'PX', 60000)
    frames[i] = ended_frame(ids[i], how)
  end
  tell_ended(prefix, 'dead', frames)
end
