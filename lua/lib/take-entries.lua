-- What all parts of take.lua do: deliver entries, and give jobs of the room their entries. `fetch` is what the parts share: the keys
-- stream, room, meta, gate and prefix; group, consumer and now (unix ms); `reply`, and how many jobs were `taken`.
-- @include lib/room
-- @include lib/envelope

-- Entries that have a Job and a name and nothing else, as a part of the reply. nil if others are among them. Redis needs about as long
-- to reply with a table as with six strings.
local function named_jobs(entries)
  local jobs, at = {}, 0
  for i = 1, #entries do
    local fields = entries[i][2]
    if #fields ~= 4 or fields[1] ~= 'd' or fields[3] ~= 'n' then
      return nil
    end
    jobs[at + 1], jobs[at + 2], jobs[at + 3] = entries[i][1], fields[2], fields[4]
    at = at + 3
  end
  return { 'named', jobs }
end

-- Delivers the next entries of the stream. Returns how many.
local function deliver(fetch, most)
  local read = redis.call('XREADGROUP', 'GROUP', fetch.group, fetch.consumer, 'COUNT', most, 'STREAMS', fetch.stream, '>')
  if not read then
    return 0
  end
  local entries = read[1][2]
  fetch.reply[#fetch.reply + 1] = named_jobs(entries) or read[1]
  fetch.taken = fetch.taken + #entries
  return #entries
end

-- Delivers the entries that these jobs of the room were given. `is_next`: all entries before them were delivered. The reply has the
-- jobs as they were in the room: to read the entries would cost more than all the rest.
local function deliver_added(fetch, entries, members, is_next)
  local count = #entries
  if count == 0 then
    return
  end
  local claim, jobs = { 'XCLAIM', fetch.stream, fetch.group, fetch.consumer, 0 }, {}
  for i = 1, count do
    local entry = entries[i]
    claim[5 + i] = entry
    jobs[2 * i - 1], jobs[2 * i] = entry, members[i]
  end
  claim[count + 6], claim[count + 7], claim[count + 8], claim[count + 9] = 'RETRYCOUNT', 1, 'FORCE', 'JUSTID'
  if is_next then
    claim[count + 10], claim[count + 11] = 'LASTID', entries[count]
  end
  redis.call(unpack(claim))
  fetch.reply[#fetch.reply + 1] = { 'room', jobs }
  fetch.taken = fetch.taken + count
end

-- Gives jobs of the room their entries, and says where the jobs are whose ids are the callers'. Returns the entries, or the error
-- reply of the stream; then the jobs without an entry are back.
local function add_entries(fetch, members)
  local stream, prefix = fetch.stream, fetch.prefix
  local entries, markers, indices = {}, {}, {}
  local failure
  local pcall_redis, room_parts = redis.pcall, room_parts
  for i = 1, #members do
    local d, name, head, keep, is_other = room_parts(members[i])
    local added
    if is_other then
      added = pcall_redis('XADD', stream, '*', 'd', d)
    elseif name == '' then
      added = keep and pcall_redis('XADD', stream, '*', 'd', d, 'u', keep, 'r', head)
        or pcall_redis('XADD', stream, '*', 'd', d, 'r', head)
    else
      added = keep and pcall_redis('XADD', stream, '*', 'd', d, 'n', name, 'u', keep, 'r', head)
        or pcall_redis('XADD', stream, '*', 'd', d, 'n', name, 'r', head)
    end
    if type(added) == 'table' then
      failure = added
      for back = i, #members do
        redis.call('ZADD', fetch.room, 0, members[back])
      end
      break
    end
    entries[i] = added
    local id = keep and job_id_of(d)
    if id then
      markers[#markers + 1] = prefix .. 'dlid:' .. id
      markers[#markers + 1] = keep .. ':' .. added
      indices[#indices + 1] = prefix .. 'didx:' .. id
    end
  end
  for from = 1, #markers, 4000 do
    redis.call('MSET', unpack(markers, from, math.min(from + 3999, #markers)))
  end
  for from = 1, #indices, 4000 do
    redis.call('DEL', unpack(indices, from, math.min(from + 3999, #indices)))
  end
  return entries, failure
end
