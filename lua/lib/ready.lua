-- Since when a job is ready for its first start: the field `ready` of its extras, a msgpack map behind the Job. See
-- codec/extras.ts and settle/ready-since.ts.
-- @include lib/split-job

-- The position behind a msgpack value; nil if the bytes end before it does.
local function behind_value(bytes, at)
  local left = 1
  while left > 0 do
    local head = string.byte(bytes, at)
    if not head then
      return nil
    end
    left, at = left - 1, at + 1
    local width = ({ [0xc4] = 1, [0xc5] = 2, [0xc6] = 4, [0xc7] = 1, [0xc8] = 2, [0xc9] = 4 })[head]
      or ({ [0xd9] = 1, [0xda] = 2, [0xdb] = 4, [0xdc] = 2, [0xdd] = 4, [0xde] = 2, [0xdf] = 4 })[head]
    if width then
      if #bytes < at + width - 1 then
        return nil
      end
      local length = struct.unpack('>I' .. width, bytes, at)
      at = at + width
      if head >= 0xdc then
        left = left + (head >= 0xde and 2 * length or length)
      else
        -- An extension has a type before its bytes.
        at = at + length + (head >= 0xc7 and head <= 0xc9 and 1 or 0)
      end
    elseif head >= 0x80 and head <= 0x8f then
      left = left + 2 * (head - 0x80)
    elseif head >= 0x90 and head <= 0x9f then
      left = left + head - 0x90
    elseif head >= 0xa0 and head <= 0xbf then
      at = at + head - 0xa0
    elseif head >= 0xca and head <= 0xd8 then
      at = at + ({ 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17 })[head - 0xc9]
    end
  end
  return at <= #bytes + 1 and at or nil
end

-- The Job with this time in unix ms, unless it says already since when it is ready, or an attempt is used, or its extras are no
-- small map. `replaces`: the other way round, only if it says that.
local function with_ready(d, ms, replaces)
  local _, _, attempt, rest = parts_of(d)
  local from = rest and (string.byte(d, 1) == 0x94 and rest or behind_value(d, rest))
  if not from or string.byte(d, attempt) ~= 0 then
    return d
  end
  local field = '\165ready'
  -- As a double: it is read as a number.
  local value = '\203' .. struct.pack('>d', ms)
  if from > #d then
    return replaces and d or d .. '\129' .. field .. value
  end
  local count = string.byte(d, from) - 0x80
  if count < 0 or count > 14 then
    return d
  end
  local at = from + 1
  for _ = 1, count do
    local key = at
    at = behind_value(d, at)
    local behind = at and behind_value(d, at)
    if not behind then
      return d
    elseif string.sub(d, key, at - 1) == field then
      return replaces and string.sub(d, 1, at - 1) .. value .. string.sub(d, behind) or d
    end
    at = behind
  end
  return replaces and d or string.sub(d, 1, from - 1) .. string.char(0x81 + count) .. field .. value .. string.sub(d, from + 1)
end
