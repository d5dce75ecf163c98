-- Where a job is that was added with an id of the caller's. The marker `dlid:<id>` says it: `<ms>:<entry id>`, or `<ms>:`
-- while the job is delayed or in the room; then `didx:<id>` has its member there. `<ms>` is for how long the id stays taken after the job has
-- ended. Third-party workers may move or end the job without changing the marker, and a key may be deleted or evicted. So a
-- marker counts only if the job is where it says.
-- @include lib/envelope
-- @include lib/stream-info
-- @include lib/tracked
-- @include lib/room
-- @include lib/delayed-member

-- The value of a string; nil if there is none, or if the key has another type: somebody else wrote it, and it says nothing.
local function text_of(key)
  local value = redis.pcall('GET', key)
  return type(value) == 'string' and value or nil
end

-- The keys that have to agree with each other. One of the wrong type fails here, before anything is written.
local function check_types(delayed, prefix)
  redis.call('ZCARD', delayed)
  redis.call('ZCARD', prefix .. 'room')
  redis.call('SCARD', prefix .. 'delayed:unique')
end

local function id_of_fields(fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'd' then
      return job_id_of(fields[i + 1])
    end
  end
end

local function is_entry_of(stream, entry, id)
  local found = string.match(entry, '^%d+%-%d+$') and redis.call('XRANGE', stream, entry, entry)[1]
  return found and id_of_fields(found[2]) == id
end

-- The state of an entry that is in the stream: 'waiting'; 'in-flight', with its group and consumer; or 'ended', if it was
-- delivered to every group and is pending for none. A third-party worker acknowledges first and deletes later, or never.
local function state_of(stream, entry)
  local groups = groups_of(stream)
  local state = #groups == 0 and 'waiting' or 'ended'
  for _, group in ipairs(groups) do
    local pending = redis.call('XPENDING', stream, group.name, entry, entry, 1)[1]
    if pending then
      return 'in-flight', group.name, pending[2]
    elseif is_before(group['last-delivered-id'], entry) then
      state = 'waiting'
    end
  end
  return state
end

-- Looks for a job that is not where its marker says, at both ends of the stream, of the delayed set and of the room. It looks at few
-- places, so the cost is bounded: those where a job is that was moved lately, or runs soon. If it finds the job, it corrects
-- the marker and returns true.
local FEW = 250
local function find_moved(stream, delayed, prefix, id, keep)
  for _, entries in ipairs({
    redis.call('XREVRANGE', stream, '+', '-', 'COUNT', FEW),
    redis.call('XRANGE', stream, '-', '+', 'COUNT', FEW),
  }) do
    for _, entry in ipairs(entries) do
      if id_of_fields(entry[2]) == id and state_of(stream, entry[1]) ~= 'ended' then
        redis.call('SET', prefix .. 'dlid:' .. id, keep .. ':' .. entry[1])
        return true
      end
    end
  end
  local function is_found(set, job_of)
    if redis.call('TYPE', set).ok ~= 'zset' then
      return false
    end
    for _, members in ipairs({ redis.call('ZRANGE', set, 0, FEW - 1), redis.call('ZRANGE', set, -FEW, -1) }) do
      for _, member in ipairs(members) do
        local d = job_of(member)
        if d and job_id_of(d) == id then
          redis.call('SET', prefix .. 'dlid:' .. id, keep .. ':')
          redis.call('SET', prefix .. 'didx:' .. id, member)
          return true
        end
      end
    end
    return false
  end
  if is_found(delayed, function(member)
    return select(2, split_member(member))
  end) then
    redis.call('SADD', prefix .. 'delayed:unique', id)
    return true
  end
  return is_found(prefix .. 'room', function(member)
    return split_room_member(member).d
  end)
end

-- 'live'; 'ended', if the job has ended and its id stays taken for a while; or nil: the id is free. Accepts keys of the
-- wrong type, because scripts ask in the middle of their work.
local function life_of(stream, delayed, prefix, id)
  local key, index = prefix .. 'dlid:' .. id, prefix .. 'didx:' .. id
  local marker = redis.pcall('GET', key)
  if not marker then
    return nil
  elseif redis.call('PTTL', key) >= 0 then
    return 'ended'
  end
  local keep, entry = string.match(type(marker) == 'string' and marker or '', '^(%d+):(.*)$')
  if not keep then
    -- The marker of a third-party writer says that there is a job, and not where.
    return 'live'
  end
  if is_entry_of(stream, entry, id) then
    return state_of(stream, entry) ~= 'ended' and 'live' or nil
  end
  local member = text_of(index)
  if member and (is_member(delayed, member) or is_member(prefix .. 'room', member)) then
    return 'live'
  end
  if find_moved(stream, delayed, prefix, id, keep) then
    return 'live'
  end
  redis.call('DEL', index)
  redis.call('SREM', prefix .. 'delayed:unique', id)
  return nil
end

-- Keys that an earlier job of the same id has left.
local function add_remains(keys, prefix, id)
  keys[#keys + 1] = prefix .. 'result:' .. id
  keys[#keys + 1] = prefix .. 'failed:' .. id
end

-- Before new jobs take these ids: deletes everything that earlier jobs of the ids have left.
local function forget_lives(prefix, ids)
  if #ids == 0 then
    return
  end
  local keys = {}
  for i = 1, #ids do
    add_remains(keys, prefix, ids[i])
  end
  forget_tracked(prefix, ids, keys)
end
