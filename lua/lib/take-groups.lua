-- The part of take.lua for groups: they take turns. The group whose last turn is the longest ago starts one job, and goes behind all
-- others. A call that takes more jobs than there are groups does the same round after round.
-- @include lib/take-entries
-- @include lib/groups
-- @include lib/group-starts

-- At most so many groups whose rate limit allows a start again take turns again in one call.
local MOST_RETURNED = 200
-- The sets of groups are hints, so a call may look at groups that cannot start a job: at most so many beyond those that it asks for.
local MOST_LOOKS = 200

-- There are no jobs in groups, so their turns are hints for nothing.
local function forget_turns(prefix)
  redis.call('UNLINK', prefix .. 'groups', prefix .. 'groups:limited')
end

local function return_limited(fetch)
  local limited = fetch.prefix .. 'groups:limited'
  local due = redis.call('ZRANGEBYSCORE', limited, '-inf', decimal(fetch.now), 'LIMIT', 0, MOST_RETURNED)
  if #due > 0 then
    redis.call('ZREM', limited, unpack(due))
    place_groups(fetch.prefix, due)
  end
end

-- How many slots each group uses, by id. nil if that is much more to read than to count the slots of each group that is looked at.
local function read_slots(fetch, looks)
  if redis.call('ZCARD', fetch.slots) > looks * 4 then
    return nil
  end
  local used, all = {}, redis.call('ZRANGE', fetch.slots, 0, -1)
  for i = 1, #all do
    local high, low = byte_of(all[i], 1, 2)
    local ends = low and 2 + high * 256 + low
    if ends and ends < #all[i] then
      local group = sub_of(all[i], 3, ends)
      used[group] = (used[group] or 0) + 1
    end
  end
  return used
end

-- Up to `want` jobs of a group, and more if it has a limit or more jobs:
--   has_more  it may start another one after them
--   limited   it has more, and its rate limit allows them at this time (unix ms)
-- `head`: what its members begin with. `taking`: says of how many jobs of a group it is not known whether they have started.
local function startable(fetch, group, head, want, concurrency, max, duration, taking)
  local from, to = '[' .. head, '(' .. head .. '\255'
  local slots = want + 1
  if concurrency then
    slots = concurrency - (fetch.used and (fetch.used[group] or 0) or redis.call('ZLEXCOUNT', fetch.slots, from, to))
  end
  if slots <= 0 then
    return {}
  end
  local tokens, frees = slots, 0
  if max then
    tokens, frees = group_allowance(fetch.prefix, group, max, duration, taking(group), fetch.us)
  end
  local most = math.max(0, math.min(want, slots, tokens))
  -- Where another one may start, it says whether there is one.
  local members = redis.call('ZRANGEBYLEX', fetch.room, from, to, 'LIMIT', 0, slots > most and most + 1 or most)
  local has_more = #members > most
  members[most + 1] = nil
  if has_more and max and tokens <= most then
    return members, false, math.ceil((fetch.us + frees) / 1000)
  end
  return members, has_more
end

-- The jobs of these groups, the first of each, then the second of each; and of which group each is, by index.
local function in_rounds(members_of, most_rounds)
  local members, of, at = {}, {}, 0
  for round = 1, most_rounds do
    for i = 1, #members_of do
      local member = members_of[i][round]
      if member then
        at = at + 1
        members[at], of[at] = member, i
      end
    end
  end
  return members, of
end

-- Gives these jobs their entries, delivers these, and uses slots for them. `heads`: what the members of each group begin with; `of`: of
-- which group each is. Returns the error reply of the stream, if it accepts no entries.
local function start_members(fetch, members, heads, of)
  redis.call('ZREM', fetch.room, unpack(members))
  local entries, failure = add_entries(fetch, members)
  if #entries > 0 then
    deliver_added(fetch, entries, members, true)
    local scored = { 'ZADD', fetch.slots }
    for i = 1, #entries do
      scored[2 * i + 1], scored[2 * i + 2] = '0', heads[of[i]] .. entries[i]
    end
    redis.call(unpack(scored))
  end
  return failure
end

-- Takes jobs of the groups whose turn it is. Returns how many groups it has looked at; and the error reply of the stream, if it
-- accepts no entries: then those groups keep their turns.
local function take_turn(fetch, policy, most, taking)
  local prefix, groups = fetch.prefix, fetch.prefix .. 'groups'
  local names = redis.call('ZRANGE', groups, 0, most - 1)
  local count = #names
  if count == 0 then
    return 0
  end
  local paused = fetch.any_paused and redis.call('SMISMEMBER', prefix .. 'groups:paused', unpack(names)) or {}
  local own = own_limits(policy, names)
  local all_concurrency, all_max, all_duration = limits_with(policy)
  if not fetch.has_read_slots and (all_concurrency or policy.own) then
    fetch.has_read_slots, fetch.used = true, read_slots(fetch, count)
  end
  local heads, members_of, windows, limited_until, has_more, rounds = {}, {}, {}, {}, {}, 0
  local share, extra = math.floor(most / count), most % count
  for i = 1, count do
    local name = names[i]
    local concurrency, max, duration, until_ms = all_concurrency, all_max, all_duration, nil
    if own[i] then
      concurrency, max, duration, until_ms = limits_with(policy, own[i])
    end
    if paused[i] == 1 then
      members_of[i] = {}
    elseif until_ms and until_ms > fetch.now then
      members_of[i], limited_until[i] = {}, has_jobs(prefix, name) and until_ms or nil
    else
      if until_ms then
        forget_limited(policy.own, name, own[i])
      end
      local want = i <= extra and share + 1 or share
      heads[i], windows[i] = group_head(name), duration
      members_of[i], has_more[i], limited_until[i] =
        startable(fetch, name, heads[i], want, concurrency, max, duration, taking)
      rounds = math.max(rounds, #members_of[i])
    end
  end

  if rounds > 0 then
    local members, of = in_rounds(members_of, rounds)
    local failure = start_members(fetch, members, heads, of)
    if failure then
      return count, failure
    end
  end
  redis.call('ZREMRANGEBYRANK', groups, 0, count - 1)

  local turn = tonumber(redis.call('HGET', fetch.gate, 'turn')) or 0
  local last, back, limited = turn, {}, {}
  for i = 1, count do
    local started, name = #members_of[i], names[i]
    -- Where this group comes in the row of starts, round after round.
    local at = turn + (started - 1) * count + i
    if started > 0 then
      last = math.max(last, at)
      if fetch.used then
        fetch.used[name] = (fetch.used[name] or 0) + started
      end
      if windows[i] then
        fetch.longest = math.max(fetch.longest, windows[i])
        fetch.starts_of[name] = (fetch.starts_of[name] or 0) + started
        fetch.any_start = true
      end
    end
    if has_more[i] then
      -- Redis writes a number of Lua with 17 digits.
      back[#back + 1], back[#back + 2] = at, name
    elseif limited_until[i] then
      limited[#limited + 1] = decimal(limited_until[i])
      limited[#limited + 1] = name
    end
  end
  if last > turn then
    redis.call('HSET', fetch.gate, 'turn', decimal(last))
  end
  if #back > 0 then
    redis.call('ZADD', groups, unpack(back))
  end
  if #limited > 0 then
    redis.call('ZADD', prefix .. 'groups:limited', unpack(limited))
  end
  return count
end

local function take_all_turns(fetch, most)
  local prefix = fetch.prefix
  local groups = prefix .. 'groups'
  fetch.slots = prefix .. 'slots'
  -- Keys of the wrong type fail here, before anything is written.
  redis.call('ZCARD', groups)
  redis.call('ZCARD', fetch.slots)
  fetch.any_paused = redis.call('SCARD', prefix .. 'groups:paused') > 0
  local policy = group_policy(prefix, fetch.meta)
  return_limited(fetch)
  fetch.starts_of, fetch.longest = {}, 0
  local known
  local function taking(group)
    -- Read only if a group has a rate limit.
    known = known or taking_of_groups(prefix, policy, fetch.consumer, fetch.us)
    return (known[group] or 0) + (fetch.starts_of[group] or 0)
  end
  local end_at = fetch.taken + most
  local looks = most + MOST_LOOKS
  local failure
  while fetch.taken < end_at and looks > 0 and not failure do
    local looked
    looked, failure = take_turn(fetch, policy, end_at - fetch.taken, taking)
    if looked == 0 then
      break
    end
    looks = looks - looked
  end
  if fetch.any_start then
    begin_group_starts(prefix, fetch.consumer, fetch.us, fetch.starts_of, fetch.longest)
  end
  if redis.call('EXISTS', fetch.room) == 0 then
    forget_turns(prefix)
  end
  if failure or fetch.taken == end_at then
    return failure
  elseif redis.call('EXISTS', groups) == 1 then
    return nil, 1
  end
  local next_limited = redis.call('ZRANGE', prefix .. 'groups:limited', 0, 0, 'WITHSCORES')[2]
  return nil, next_limited and math.max(1, next_limited - fetch.now)
end

-- Takes jobs of groups. Returns an error reply, if the stream accepts no entries or a key has the wrong type; else in how many ms a
-- group may start a job by itself, nil = it takes the end of a job, or a change of the policy.
local function take_groups(fetch, most)
  if redis.call('EXISTS', fetch.prefix .. 'groups', fetch.prefix .. 'groups:limited') == 0 then
    return
  end
  local is_done, failure, wait = pcall(take_all_turns, fetch, most)
  if is_done then
    return failure, wait
  end
  return type(failure) == 'table' and failure or redis.error_reply(failure)
end
