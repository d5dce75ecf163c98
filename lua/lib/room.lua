-- The room: jobs with a priority, with lifo or in a group wait in the sorted set `room`. All scores are 0, so Redis orders the jobs
-- by the bytes of their members:
--   u16 length of the group id, and the group id ('' = none); u32 rank; u64 number; double keep; the member that the job would
--   have in the delayed set (lib/delayed-member.lua)
-- rank: 0 = before all others (lifo); 1 = no priority; else the priority plus 1. number: the order of jobs of one rank. It says when
-- the job came into the room: unix ms times 2,048; of a job with lifo, 2^53 minus that. keep: for how many ms the id stays taken
-- after the job, -1 if the id is not the caller's.
-- Jobs without a group are therefore the head of the set. The jobs of a group stand together.
-- @include lib/time
-- @include lib/extras

local byte_of, sub_of = string.byte, string.sub
local NUMBERS_PER_MS, LAST_NUMBER = 2048, 9007199254740992

-- The first of `count` numbers that follow each other. Each job that comes into the room takes one, so `seq` of the hash `gate`
-- says whether a job has come since.
local function take_numbers(prefix, now, count)
  local gate = prefix .. 'gate'
  local last = tonumber(redis.call('HGET', gate, 'seq')) or 0
  local first = math.max(last + 1, math.min(now, 4e12) * NUMBERS_PER_MS)
  redis.call('HSET', gate, 'seq', decimal(first + count - 1))
  return first
end

-- What a member begins with. It says the place of the job in the room.
local function room_head(group, rank, number, keep)
  return struct.pack('>I2c0I4I8d', #group, group, rank, rank == 0 and LAST_NUMBER - number or number, keep)
end

-- What an entry of the work stream has of a member: d, name, head, and keep as text; nil if that is -1. Other bytes are a Job
-- without a name: they go where Jobs go, and the worker that reads them dead-letters them; the fifth value is true then.
local function room_parts(member)
  local high, low = byte_of(member, 1, 2)
  local size = (low and high * 256 + low or 0) + 22
  local l1, l2, l3, l4 = byte_of(member, size + 1, size + 4)
  local from = l4 and size + 5 + l1 + l2 * 256 + l3 * 65536 + l4 * 16777216
  if not from or from > #member + 1 then
    return member, '', sub_of(member, 1, 22), nil, true
  end
  -- The first bit of a negative double is set.
  local keep = byte_of(member, size - 7) < 128 and struct.unpack('>d', member, size - 7)
  return sub_of(member, from), sub_of(member, size + 5, from - 1), sub_of(member, 1, size), keep and decimal(keep) or nil
end

-- The parts of a member: { group, rank, number, keep, name, d, head }; of other bytes, is_other is true.
local function split_room_member(member)
  local d, name, head, keep, is_other = room_parts(member)
  if is_other then
    return { group = '', rank = 1, number = 0, keep = -1, name = '', d = d, head = head, is_other = true }
  end
  local rank, number = struct.unpack('>I4I8', head, #head - 19)
  return {
    group = sub_of(head, 3, -21),
    rank = rank,
    number = rank == 0 and LAST_NUMBER - number or number,
    keep = tonumber(keep) or -1,
    name = name,
    d = d,
    head = head,
  }
end

-- The bounds, for ZRANGEBYLEX and its like, of the members that begin with these bytes.
local function bounds_of(head)
  if string.byte(head, -1) == 255 then
    -- Not the id of a group, which is UTF-8.
    local rest = string.gsub(head, '\255+$', '')
    return '[' .. head, '(' .. string.sub(rest, 1, -2) .. string.char(string.byte(rest, -1) + 1)
  end
  return '[' .. head, '(' .. string.sub(head, 1, -2) .. string.char(string.byte(head, -1) + 1)
end

-- What the members of a group begin with.
local function group_head(group)
  return struct.pack('>I2c0', #group, group)
end

-- The bounds of the jobs of a group; '' = of the jobs without a group. No rank begins with 255.
local function group_bounds(group)
  local head = group_head(group)
  return '[' .. head, '(' .. head .. '\255'
end

-- The bounds of the jobs of a rank of a group; '' = without a group.
local function bounds_of_rank(group, rank)
  local head = group_head(group)
  return '[' .. head .. struct.pack('>I4', rank), '(' .. head .. struct.pack('>I4', rank + 1)
end

-- Whether these bytes are a member of a sorted set. Accepts a key of the wrong type, because scripts ask in the middle of their
-- work.
local function is_member(set, member)
  return type(redis.pcall('ZSCORE', set, member)) == 'string'
end

-- The state of a job of the room.
local function state_in_room(member)
  local place = split_room_member(member)
  return place.group == '' and place.rank > 1 and 'prioritized' or 'waiting'
end

-- How many jobs wait in the room: those with lifo, those with a priority, those in groups.
local function count_room(room)
  local all = redis.call('ZCARD', room)
  if all == 0 then
    return 0, 0, 0
  end
  local from, to = group_bounds('')
  local alone = redis.call('ZLEXCOUNT', room, from, to)
  local lifo = alone > 0 and redis.call('ZLEXCOUNT', room, '[' .. '\0\0', '(' .. '\0\0\0\0\0\1') or 0
  return lifo, alone - lifo, all - alone
end

-- The group and the rank that the extras of a Job say; nil if the job has neither lifo nor a priority nor a group. The field
-- `priority` is -1 for lifo.
local function room_place_of(d)
  local extras = extras_of(d)
  local group, priority = extras.group, extras.priority
  if not group and not priority then
    return nil
  end
  local head = group and string.byte(group, 1) or 0xa0
  -- Behind the head of a short string, of one with a length of one byte, and of one with two.
  group = head <= 0xbf and string.sub(group or '', 2) or string.sub(group, head == 0xd9 and 3 or 4)
  local first = priority and string.byte(priority, 1) or 0
  if first == 0xff then
    return group, 0
  end
  local number = first <= 0x7f and first
    or first >= 0xcc and first <= 0xce and struct.unpack('>I' .. 2 ^ (first - 0xcc), priority, 2)
    or 0
  return group, number + 1
end
