-- Removes consumers that have nothing left to do: the caller's when its worker closes, with its report, and those of workers
-- long gone. In the work stream, a consumer stays while anything is pending for it.
--
-- KEYS stream promoterWake schedulerWake prefix
-- ARGV 1 group
--      2 consumer  remove this one, however short its silence; '' = none
--      3 idle_ms   remove others that have been silent for so many ms
-- Reply how many were removed
--
-- Races
--   A job that arrives meanwhile: XGROUP DELCONSUMER discards pending entries, so the count is read in the same script.
--   A wake entry that is pending: it is no job, only a call to look, so another promoter or scheduler is called instead.
--   Sent twice: the second call finds nothing to remove.

-- @include lib/stream-info

local group = ARGV[1]
local removed = 0
if ARGV[2] ~= '' then
  -- Here, because nobody knows of the wake stream where the group is gone (obliterate, FLUSHALL) and the worker has just written to it.
  redis.call('DEL', KEYS[4] .. 'worker:' .. ARGV[2], KEYS[4] .. 'wake:worker:' .. ARGV[2])
end
for index, stream in ipairs({ KEYS[1], KEYS[2], KEYS[3] }) do
  if redis.call('EXISTS', stream) == 1 then
    -- Without its group, or with a key of the wrong type, there is no consumer to remove. The process that reads the key reports it.
    for _, of in ipairs(tables_of(redis.pcall('XINFO', 'CONSUMERS', stream, group))) do
      local is_over = of.name == ARGV[2] or of.idle >= tonumber(ARGV[3])
      if is_over and (of.pending == 0 or index > 1) then
        redis.call('XGROUP', 'DELCONSUMER', stream, group, of.name)
        if of.pending > 0 then
          redis.call('XADD', stream, 'MAXLEN', 1, '*', 'due', '0')
        end
        if index == 1 then
          redis.call('DEL', KEYS[4] .. 'wake:worker:' .. of.name)
        end
        removed = removed + 1
      end
    end
  end
end
return removed
