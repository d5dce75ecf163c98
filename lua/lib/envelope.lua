-- Reads the job id out of a msgpack Job without decoding the rest: an array of 4 or 5 whose first element is a string.
-- Returns nil for other bytes; the worker that reads the entry reports them.
local function job_id_of(d)
  local array, head, len8 = string.byte(d, 1, 3)
  if array ~= 0x94 and array ~= 0x95 then
    return nil
  end
  if head and head >= 0xa0 and head <= 0xbf then
    return string.sub(d, 3, 2 + head - 0xa0)
  elseif head == 0xd9 and len8 then
    return string.sub(d, 4, 3 + len8)
  elseif head == 0xda then
    local high, low = string.byte(d, 3, 4)
    if low then
      return string.sub(d, 5, 4 + high * 256 + low)
    end
  end
  return nil
end
