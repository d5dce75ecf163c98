-- Writes to the events stream. An event never fails a job: a wrong type at the events key, or the memory limit, only
-- loses the event. `cap` 0 means that events are off. The stream is trimmed once a script, not once an event.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Lua prints whole numbers above 2^53 / 10^14 in scientific notation; this does not.
local function decimal(number)
  return string.format('%.0f', number)
end

local function trim_events(events, cap)
  redis.pcall('XTRIM', events, 'MAXLEN', '~', cap)
end
