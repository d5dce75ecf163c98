-- Writes to the events stream. An event never fails a job: if the events key has the wrong type, or the memory limit is
-- reached, only the event is lost.

-- Writes the event of one job. `name`: the dispatch name, '' = none. Further arguments: field and value, in turns.
local function write_event(events, event, id, ts, name, ...)
  if name == '' then
    redis.pcall('XADD', events, '*', 'e', event, 'id', id, 'ts', ts, ...)
  else
    redis.pcall('XADD', events, '*', 'e', event, 'id', id, 'ts', ts, 'n', name, ...)
  end
end

-- A script calls this once, not once per event: trimming costs as much as an event.
local function trim_events(events, cap)
  redis.pcall('XTRIM', events, 'MAXLEN', '~', cap)
end
