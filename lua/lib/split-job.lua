-- Replaces parts of a msgpack Job, [id, payload, created_at_ms, attempt, retry], and leaves its other bytes as they are. See
-- write-envelope.ts. Each function returns nil for bytes that are not a Job.
-- @include lib/envelope

-- The position behind an unsigned integer.
local function behind_uint(bytes, at)
  local head = string.byte(bytes, at)
  if head and head <= 0x7f then
    return at + 1
  elseif head and head >= 0xcc and head <= 0xcf then
    return at + 1 + 2 ^ (head - 0xcc)
  end
  return nil
end

-- The positions of the payload, of created_at_ms, of the attempt counter, and behind it.
local function parts_of(d)
  local id = job_id_of(d)
  if not id then
    return nil
  end
  local head = string.byte(d, 2)
  local payload = 2 + #id + (head == 0xd9 and 2 or head == 0xda and 3 or 1)
  local kind = string.byte(d, payload)
  local width = kind == 0xc4 and 1 or kind == 0xc5 and 2 or kind == 0xc6 and 4
  if not width or #d < payload + width then
    return nil
  end
  local length = struct.unpack('>I' .. width, d, payload + 1)
  local created = payload + 1 + width + length
  local attempt = behind_uint(d, created)
  local rest = attempt and behind_uint(d, attempt)
  if not rest or rest > #d + 1 then
    return nil
  end
  return payload, created, attempt, rest
end

-- `payload`: the msgpack binary, with its header.
local function with_payload(d, payload)
  local from, to = parts_of(d)
  return from and string.sub(d, 1, from - 1) .. payload .. string.sub(d, to)
end

local function with_fresh_attempts(d)
  local _, _, from, to = parts_of(d)
  return from and string.sub(d, 1, from - 1) .. '\0' .. string.sub(d, to)
end

-- When the job was added, in unix ms, by the clock of its producer.
local function created_at_of(d)
  local _, from = parts_of(d)
  if not from then
    return nil
  end
  local head = string.byte(d, from)
  if head <= 0x7f then
    return head
  elseif head == 0xcf then
    local high, low = struct.unpack('>I4I4', d, from + 1)
    return high * 4294967296 + low
  end
  return (struct.unpack('>I' .. 2 ^ (head - 0xcc), d, from + 1))
end
