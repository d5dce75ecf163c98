-- Writes the event `cleaned`: so many jobs of one state were removed in one step.
-- @include lib/events
-- @include lib/time
local function announce_cleaned(events, cap, count, state)
  if cap > 0 and count > 0 then
    write_event(events, 'cleaned', '', decimal(now_ms()), '', 'count', count, 'type', state)
    trim_events(events, cap)
  end
end

-- The reply of a step: where to go on, how many jobs were removed, and their ids if `with_ids` is '1'.
local function step_reply(next, ids, with_ids)
  local reply = { next, #ids }
  for i = 1, with_ids == '1' and #ids or 0 do
    reply[i + 2] = ids[i]
  end
  return reply
end
