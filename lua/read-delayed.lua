-- Reads a slice of the delayed set, in the order of the due times. Writes nothing.
--
-- KEYS delayed
-- ARGV 1 order   'earliest' or 'latest' first
--      2 rank    of the first job, in this order  3 take  the most jobs of the reply  4 bytes  about how many bytes to read
--      5 score  6 member   of the last job that was read before: the slice begins behind it, and rank means nothing; '' = none
-- Reply { now, row… }: now in unix ms; rows: see lib/job-rows.lua. At least one, unless this is the end.
--
-- Races: ranks move when jobs are promoted, so a reader that goes on says behind which job, and not at which rank.

-- @include lib/job-rows
-- @include lib/time

local delayed, latest_first = KEYS[1], ARGV[1] == 'latest'
local rank, take, most_bytes, score, member = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6]
local read = latest_first and 'ZREVRANGE' or 'ZRANGE'

-- Which of two strings comes first by its bytes, as in a sorted set. The operators of Lua follow the locale of the server.
local function is_less(a, b)
  local at = 1
  while string.sub(a, at, at + 63) == string.sub(b, at, at + 63) do
    if at > #a then
      return false
    end
    at = at + 64
  end
  while string.byte(a, at) == string.byte(b, at) do
    at = at + 1
  end
  return (string.byte(a, at) or -1) < (string.byte(b, at) or -1)
end

-- Whether the job at a rank comes behind the last one that was read.
local function is_behind(at)
  local of = redis.call(read, delayed, at, at, 'WITHSCORES')
  local due, last = tonumber(of[2]), tonumber(score)
  if latest_first then
    return due < last or (due == last and is_less(of[1], member))
  end
  return due > last or (due == last and is_less(member, of[1]))
end

if score ~= '' then
  local at = redis.call(latest_first and 'ZREVRANK' or 'ZRANK', delayed, member)
  if at and tonumber(redis.call('ZSCORE', delayed, member)) == tonumber(score) then
    rank = at + 1
  else
    -- The job has left, or moved.
    local low, high = 0, redis.call('ZCARD', delayed)
    while low < high do
      local middle = math.floor((low + high) / 2)
      if is_behind(middle) then
        high = middle
      else
        low = middle + 1
      end
    end
    rank = low
  end
end

local reply, bytes, page = { decimal(now_ms()) }, 0, 8
while take > 0 and bytes < most_bytes do
  page = math.min(page, take)
  local before = bytes
  local members = redis.call(read, delayed, rank, rank + page - 1, 'WITHSCORES')
  for i = 1, #members, 2 do
    bytes = bytes + #members[i]
    reply[#reply + 1] = member_row(members[i], members[i + 1])
  end
  if #members < 2 * page then
    break
  end
  rank, take = rank + page, take - page
  page = math.max(1, math.min(40, math.floor(262144 * page / (bytes - before + 1))))
end
return reply
