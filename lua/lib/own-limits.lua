-- What a group has of its own, as text: '<concurrency>|<max>|<duration>', each '' = as for all groups. Bytes of somebody else's, or
-- no text, say nothing.

local function own_parts(text)
  local concurrency, max, duration = string.match(text or '', '^(%d*)|(%d*)|(%d*)$')
  return concurrency or '', max or '', duration or ''
end
