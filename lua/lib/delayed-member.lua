-- A member of the delayed set: u32 little-endian length of the dispatch name, the name, the msgpack Job.
local function member_of(name, d)
  return struct.pack('<I4', #name) .. name .. d
end

-- The name and the Job; '' and the bytes as they are, if they are no such member.
local function split_member(member)
  local length = #member >= 4 and struct.unpack('<I4', member)
  if not length or length > #member - 4 then
    return '', member
  end
  return string.sub(member, 5, 4 + length), string.sub(member, 5 + length)
end
