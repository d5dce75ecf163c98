-- The extras of a Job: a msgpack map behind it in the same bytes. See codec/extras.ts. A field has a short name, and a map has 15
-- fields at most; in other maps nothing is found.
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

-- Where the extras begin, behind the bytes if there are none; nil for other bytes than a Job.
local function extras_at(d)
  local _, _, _, rest = parts_of(d)
  return rest and (string.byte(d, 1) == 0x94 and rest or behind_value(d, rest))
end

-- A field of the extras: its position, that of its value, and behind that; nil if there is no such field. Then the position of
-- the extras, and how many fields they have; nil if they are no such map.
local function find_extra(d, field)
  local from = extras_at(d)
  if not from then
    return nil
  elseif from > #d then
    return nil, nil, nil, from, 0
  end
  local count = string.byte(d, from) - 0x80
  if count < 0 or count > 15 then
    return nil
  end
  local key, at = string.char(0xa0 + #field) .. field, from + 1
  for _ = 1, count do
    local value = behind_value(d, at)
    local behind = value and behind_value(d, value)
    if not behind then
      return nil
    elseif string.sub(d, at, value - 1) == key then
      return at, value, behind, from, count
    end
    at = behind
  end
  return nil, nil, nil, from, count
end

-- The msgpack value of a field; nil if there is none.
local function extra_of(d, field)
  local _, value, behind = find_extra(d, field)
  return value and string.sub(d, value, behind - 1)
end

-- The msgpack values of all fields that have a short name, by name.
local function extras_of(d)
  local values, from = {}, extras_at(d)
  local at = from and from <= #d and string.byte(d, from) >= 0x80 and string.byte(d, from) <= 0x8f and from + 1
  for _ = 1, at and string.byte(d, from) % 16 or 0 do
    local head, value = string.byte(d, at), behind_value(d, at)
    local behind = value and behind_value(d, value)
    if not behind then
      break
    elseif head >= 0xa0 and head <= 0xbf then
      values[string.sub(d, at + 1, value - 1)] = string.sub(d, value, behind - 1)
    end
    at = behind
  end
  return values
end

-- The Job with another msgpack value of a field; nil = without the field. Nil for other bytes than a Job, and if the extras are
-- no map that this can write.
local function with_extra(d, field, value)
  local at, _, behind, from, count = find_extra(d, field)
  if not from or (not at and value and count > 14) then
    return nil
  end
  local added = value and string.char(0xa0 + #field) .. field .. value or ''
  if at then
    local left = value and count or count - 1
    local rest = string.sub(d, from + 1, at - 1) .. added .. string.sub(d, behind)
    return string.sub(d, 1, from - 1) .. (left > 0 and string.char(0x80 + left) or '') .. rest
  elseif not value then
    return d
  end
  return string.sub(d, 1, from - 1) .. string.char(0x81 + count) .. added .. string.sub(d, from + 1)
end
