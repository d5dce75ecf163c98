-- Removes consumers of which nothing is left to do: this one when its worker closes, and those of workers long gone. On
-- the work stream a consumer stays while anything is pending for it.
--
-- KEYS stream promoterWake schedulerWake prefix
-- ARGV 1 group  2 consumer, '' = none in particular  3 idle_ms  others that hold nothing and have been idle for so long
-- Reply { removed }
--
-- Races: XGROUP DELCONSUMER throws pending entries away, so the count is read in the same script. A pending wake entry is no
-- work, only a call to look: somebody else is called instead.
local group = ARGV[1]
local removed = 0
for index, stream in ipairs({ KEYS[1], KEYS[2], KEYS[3] }) do
  if redis.call('EXISTS', stream) == 1 then
    -- Without its group, or where the key holds something else, there is nobody to remove; who reads it tells of it.
    local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
    for _, consumer in ipairs(consumers) do
      local of = {}
      for i = 1, #consumer, 2 do
        of[consumer[i]] = consumer[i + 1]
      end
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
