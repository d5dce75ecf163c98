-- Decides which process leads the promoters or the schedulers of a queue. The leader renews its lock about once a second,
-- and acts when something falls due. If something has been due for `silent_ms` and the leader has not renewed its lock in
-- that time, it is stopped, cut off or dead: the next process that asks takes the lead, long before the lock expires. A lock
-- with more time left than it can have been given shows that Redis's clock was set back. A leader with a different `lock_ms`
-- may look like either case: then two processes lead in turns while work is late, which is harmless.
--
-- Returns for how many ms another process still leads; nil if the caller leads from now on.
--   lead     '1' = the caller leads, even if another process led before
--   overdue  function: whether something has been due for `silent_ms`. It is only called if the answer matters.
local function led_for(lock, holder, lead, lock_ms, silent_ms, overdue)
  local leader = redis.call('GET', lock)
  if not leader or leader == holder or lead == '1' then
    return nil
  end
  local left = redis.call('PTTL', lock)
  if (left <= lock_ms - silent_ms or left > lock_ms) and overdue() then
    return nil
  end
  return math.max(left, 0)
end
