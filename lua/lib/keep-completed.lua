-- What complete.lua keeps of tracked jobs.
-- @include lib/tracked
-- @include lib/time

-- The tracked jobs of a batch, from their frames: { index, id, attempt, flags, record }.
local function read_tracked(frames, stream, entries)
  local tracked, at, read = {}, 1, struct.unpack
  while at <= #frames do
    local index, id, attempt, flags, record
    index, id, attempt, flags, record, at = read('>I2I2c0I4I1I4c0', frames, at)
    if math.floor(flags / 2) % 2 == 1 then
      local entry = redis.call('XRANGE', stream, entries[index], entries[index])[1]
      for f = 1, entry and #entry[2] or 0, 2 do
        if entry[2][f] == 'd' then
          record = record .. entry[2][f + 1]
        end
      end
    end
    tracked[#tracked + 1] = { index, id, attempt, flags, record }
  end
  return tracked
end

-- Keeps the records of the tracked jobs. Adds their ids and results, by index, for result waiters.
local function keep_tracked(prefix, tracked, left_out, ids, values, most, age)
  local records, scored, free, now = {}, {}, {}, now_ms()
  local score, job, dlid = decimal(now), prefix .. 'job:', prefix .. 'dlid:'
  local forgotten = {}
  for i = 1, #tracked do
    local index, id, attempt, flags, record = unpack(tracked[i])
    if not left_out[index] then
      if flags % 2 == 1 then
        records[#records + 1] = job .. id
        records[#records + 1] = record
        scored[#scored + 1] = score
        scored[#scored + 1] = id
        if attempt > 0 then
          redis.pcall('HDEL', prefix .. 'job-runs:' .. id, attempt)
        end
        ids[index], values[index] = id, values[index] or result_of(record)
      else
        forgotten[#forgotten + 1] = id
      end
      if flags >= 4 then
        free[#free + 1] = dlid .. id
      end
    end
  end
  delete_keys(free)
  for from = 1, #records, 4000 do
    redis.call('MSET', unpack(records, from, math.min(from + 3999, #records)))
    redis.pcall('ZADD', prefix .. 'completed', unpack(scored, from, math.min(from + 3999, #scored)))
  end
  if #forgotten > 0 then
    forget_tracked(prefix, forgotten)
  end
  if most ~= '' or age ~= '' then
    pcall(trim_completed, prefix, tonumber(most), age ~= '' and now - age)
  end
end
