-- The turns of groups.
--   groups           a sorted set: groups that have waiting jobs and may start one. The score is the turn
--   groups:running   a hash: how many jobs of each group are in flight; no field for 0
--   groups:paused    a set: paused groups, whether they have jobs or not
-- `gate` has `turn`: the score of the group that started a job last.

-- One of the wrong type fails here, before anything is written.
local function check_groups(prefix)
  redis.call('ZCARD', prefix .. 'groups')
  redis.call('SCARD', prefix .. 'groups:paused')
end

-- A group that has waiting jobs gets its turn, behind one start of each group that waits. A group that has one keeps it.
local function place_group(prefix, group)
  if redis.call('SISMEMBER', prefix .. 'groups:paused', group) == 0 then
    redis.call('ZADD', prefix .. 'groups', 'NX', redis.call('HGET', prefix .. 'gate', 'turn') or 0, group)
  end
end
