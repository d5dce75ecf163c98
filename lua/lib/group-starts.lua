-- How many jobs of groups with a rate limit have started. Each group has a window like that of a queue (lib/limits.lua): the list
-- `limit:<group>`, which expires. A job that was delivered and may not have started yet counts as a start that does not leave the
-- window: the hash `groups:taking` has per worker '<unix µs>:', and per group u16 length, the group id, u32 how many. A worker that
-- does not say for MOST_TAKING that they have started has died.
-- @include lib/limits
-- @include lib/group-policy

-- The groups and their numbers of jobs that these bytes say, by group. Bytes of somebody else's say none.
local function read_group_starts(frames)
  local jobs_of, at = {}, 1
  local function read()
    while at <= #frames do
      local group, jobs
      group, jobs, at = struct.unpack('>I2c0I4', frames, at)
      jobs_of[group] = jobs
    end
  end
  return pcall(read) and jobs_of or {}
end

local function add_group_starts(prefix, policy, frames, now)
  for group, jobs in pairs(read_group_starts(frames)) do
    local _, max, duration = limits_of_group(policy, group)
    if max then
      window_add(prefix .. 'limit:' .. group, duration, now, jobs)
    end
  end
end

-- How many jobs of each group may not have started yet, without those of the name `except`. Those that were delivered to this worker
-- have started by now.
local function taking_of_groups(prefix, policy, consumer, now, except)
  local taking, all = {}, redis.call('HGETALL', prefix .. 'groups:taking')
  for i = 1, #all, 2 do
    local since, frames = string.match(all[i + 1], '^(%d+):(.*)$')
    if not since or all[i] == consumer or now - since > MOST_TAKING then
      redis.call('HDEL', prefix .. 'groups:taking', all[i])
      if all[i] ~= KEPT then
        add_group_starts(prefix, policy, frames or '', now)
      end
    elseif all[i] ~= except then
      for group, jobs in pairs(read_group_starts(frames)) do
        taking[group] = (taking[group] or 0) + jobs
      end
    end
  end
  return taking
end

-- So many jobs of each of these groups are delivered to a worker. `longest`: of their durations, in ms.
local function begin_group_starts(prefix, consumer, now, jobs_of, longest)
  local frames = { decimal(now) .. ':' }
  for group, jobs in pairs(jobs_of) do
    frames[#frames + 1] = struct.pack('>I2c0I4', #group, group, jobs)
  end
  redis.call('HSET', prefix .. 'groups:taking', consumer, table.concat(frames))
  expire_taking(prefix .. 'groups:taking', longest)
end

-- So many starts of each of these groups are kept for jobs of dead workers.
local function keep_group_starts(prefix, now, jobs_of, longest)
  redis.call('HDEL', prefix .. 'groups:taking', KEPT)
  if next(jobs_of) then
    begin_group_starts(prefix, KEPT, now, jobs_of, longest)
  end
end

-- The jobs have started which were delivered under this name at `starts`, as text; '' = whenever that was.
local function confirm_group_starts(prefix, meta, name, starts)
  local known = redis.call('HGET', prefix .. 'groups:taking', name)
  local since, frames = string.match(known or '', '^(%d+):(.*)$')
  if since and (starts == '' or since == starts) then
    redis.call('HDEL', prefix .. 'groups:taking', name)
    add_group_starts(prefix, group_policy(prefix, meta), frames, now_us())
  end
end

-- The jobs of groups among those of the last delivery to a worker get another name: see set_aside.
local function set_group_aside(prefix, consumer, name, starts)
  -- Keys of the wrong type keep no job from its start.
  pcall(set_aside, prefix .. 'groups:taking', consumer, '^(%d+):', name, starts)
end

-- How many jobs of a group may start, as far as its rate limit is concerned, and in how many µs more may. `taking`: how many may
-- not have started yet.
local function group_allowance(prefix, group, max, duration, taking, now)
  local used, frees = window_use(prefix .. 'limit:' .. group, duration, now)
  return max - used - taking, used > 0 and frees or duration * 1000
end
