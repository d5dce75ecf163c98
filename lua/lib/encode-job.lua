-- Writes a msgpack Job, for scripts that create jobs: [id, payload, created_at_ms, attempt 0, retry], and the map of its extras
-- behind it. `payload`, `retry` and `extras` are msgpack already; `retry` or `extras` false = none.
local function str(bytes)
  if #bytes < 32 then
    return string.char(160 + #bytes) .. bytes
  elseif #bytes < 256 then
    return string.char(217, #bytes) .. bytes
  end
  return '\218' .. struct.pack('>I2', #bytes) .. bytes
end

local function bin(bytes)
  if #bytes < 256 then
    return string.char(196, #bytes) .. bytes
  elseif #bytes < 65536 then
    return '\197' .. struct.pack('>I2', #bytes) .. bytes
  end
  return '\198' .. struct.pack('>I4', #bytes) .. bytes
end

local function encode_job(id, payload, created_at_ms, retry, extras)
  local high = math.floor(created_at_ms / 4294967296)
  local created = '\207' .. struct.pack('>I4I4', high, created_at_ms - high * 4294967296)
  local head = (retry and '\149' or '\148') .. str(id)
  return head .. bin(payload) .. created .. '\0' .. (retry or '') .. (extras or '')
end
