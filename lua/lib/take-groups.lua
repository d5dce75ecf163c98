-- The part of take.lua for groups: they take turns. The group whose last turn is the longest ago starts one job, and goes behind all
-- others. A call that takes more jobs than there are groups does the same round after round.
-- @include lib/take-entries
-- @include lib/groups
-- @include lib/group-starts

-- At most so many groups whose rate limit allows a start again take turns again in one call.
local MOST_RETURNED = 200
-- The sets of groups are hints, so a call may look at groups that cannot start a job: at most so many beyond those that it asks for.
local MOST_LOOKS = 200

local function return_limited(fetch)
  local limited = fetch.prefix .. 'groups:limited'
  local due = redis.call('ZRANGEBYSCORE', limited, '-inf', decimal(fetch.now), 'LIMIT', 0, MOST_RETURNED)
  if #due > 0 then
    redis.call('ZREM', limited, unpack(due))
    place_groups(fetch.prefix, due)
  end
end

-- Up to `want` jobs of a group: { members, head, has_more, limited }. head: what the members begin with. has_more: it may start another one
-- after them; limited: it has more, and its rate limit allows them at this time (unix ms); window: its duration, if its starts are counted. `taking`: says of how many jobs of a group
-- it is not known whether they have started.
local function startable(fetch, policy, group, own, want, taking)
  local concurrency, max, duration = limits_with(policy, own)
  local from, to = group_bounds(group)
  local head = string.sub(from, 2)
  local slots = concurrency and concurrency - redis.call('ZLEXCOUNT', fetch.slots, from, to) or want + 1
  if slots <= 0 then
    return { members = {} }
  end
  local tokens, frees = want + 1, 0
  if max then
    tokens, frees = group_allowance(fetch.prefix, group, max, duration, taking(group), fetch.us)
  end
  local most = math.max(0, math.min(want, slots, tokens))
  -- Where another one may start, it says whether there is one.
  local members = redis.call('ZRANGEBYLEX', fetch.room, from, to, 'LIMIT', 0, slots > most and most + 1 or most)
  local has_more = #members > most
  members[most + 1] = nil
  if has_more and tokens <= most then
    return { members = members, head = head, window = duration, limited = math.ceil((fetch.us + frees) / 1000) }
  end
  return { members = members, head = head, window = max and duration, has_more = has_more }
end

-- The jobs of these groups, the first of each, then the second of each; and of which group each is, by index.
local function in_rounds(given, most_rounds)
  local members, of = {}, {}
  for round = 1, most_rounds do
    for i = 1, #given do
      local member = given[i].members[round]
      if member then
        members[#members + 1], of[#of + 1] = member, i
      end
    end
  end
  return members, of
end

-- The jobs have entries, which were delivered: they use slots.
local function use_slots(fetch, entries, given, of)
  local scored = { 'ZADD', fetch.slots }
  for i = 1, #entries do
    scored[2 * i + 1], scored[2 * i + 2] = '0', given[of[i]].head .. entries[i]
  end
  redis.call(unpack(scored))
end

-- Takes jobs of the groups whose turn it is. Returns how many groups it has looked at; and the error reply of the stream, if it
-- accepts no entries: then those groups keep their turns.
local function take_turn(fetch, policy, most, taking)
  local prefix, groups = fetch.prefix, fetch.prefix .. 'groups'
  local popped = redis.call('ZPOPMIN', groups, most)
  local count = #popped / 2
  if count == 0 then
    return 0
  end
  local names = {}
  for i = 1, count do
    names[i] = popped[2 * i - 1]
  end
  local paused = fetch.any_paused and redis.call('SMISMEMBER', prefix .. 'groups:paused', unpack(names)) or {}
  local own = own_limits(policy, names)
  local given, rounds = {}, 0
  local share, extra = math.floor(most / count), most % count
  for i = 1, count do
    local want = i <= extra and share + 1 or share
    given[i] = paused[i] == 1 and { members = {} } or startable(fetch, policy, names[i], own[i], want, taking)
    rounds = math.max(rounds, #given[i].members)
  end

  local members, of = in_rounds(given, rounds)
  local entries, failure = {}, nil
  if #members > 0 then
    redis.call('ZREM', fetch.room, unpack(members))
    entries, failure = add_entries(fetch, members)
    if #entries > 0 then
      deliver_added(fetch, entries, members, true)
      use_slots(fetch, entries, given, of)
    end
  end
  if failure then
    for i = 1, count do
      redis.call('ZADD', groups, popped[2 * i], names[i])
    end
    return count, failure
  end

  local turn = tonumber(redis.call('HGET', fetch.gate, 'turn')) or 0
  local last, back, limited = turn, {}, {}
  for i = 1, count do
    local started = #given[i].members
    -- Where this group comes in the row of starts, round after round.
    local at = turn + (started - 1) * count + i
    if started > 0 then
      last = math.max(last, at)
      if given[i].window then
        fetch.longest = math.max(fetch.longest, given[i].window)
        fetch.starts_of[names[i]] = (fetch.starts_of[names[i]] or 0) + started
        fetch.any_start = true
      end
    end
    if given[i].has_more then
      -- Redis writes a number of Lua with 17 digits.
      back[#back + 1], back[#back + 2] = at, names[i]
    elseif given[i].limited then
      limited[#limited + 1] = decimal(given[i].limited)
      limited[#limited + 1] = names[i]
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
