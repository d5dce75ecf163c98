-- Since when a job is ready for its first start: the field `ready` of its extras. See codec/extras.ts and settle/ready-since.ts.
-- @include lib/extras

-- The Job with this time in unix ms, unless it says already since when it is ready, or an attempt is used, or its extras are no
-- small map. `replaces`: the other way round, only if it says that.
local function with_ready(d, ms, replaces)
  local _, _, attempt = parts_of(d)
  if not attempt or string.byte(d, attempt) ~= 0 or (extra_of(d, 'ready') ~= nil) ~= (replaces or false) then
    return d
  end
  -- As a double: it is read as a number.
  return with_extra(d, 'ready', '\203' .. struct.pack('>d', ms)) or d
end
