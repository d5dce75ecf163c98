-- Who leads the promoter or the scheduler. A leader renews its lock about once a second, and is there when something
-- falls due. One that has done neither for `silent_ms` is stopped, cut off or dead, and whoever notices leads instead of
-- it, long before the lock runs out. A lock with more time than it can have been given tells that Redis's clock was set
-- back; one of a leader with another `lock_ms` may look like either: then two lead in turns while work is late.
--
-- For how many ms another process leads still; nil where the caller leads from now on. `overdue`: whether something has
-- been due for `silent_ms`; asked only where it matters.
local function led_for(lock, holder, take, lock_ms, silent_ms, overdue)
  local leader = redis.call('GET', lock)
  if not leader or leader == holder or take == '1' then
    return nil
  end
  local left = redis.call('PTTL', lock)
  if (left <= lock_ms - silent_ms or left > lock_ms) and overdue() then
    return nil
  end
  return math.max(left, 0)
end
