-- Removes consumers that hold nothing: this one when its worker closes, and those of workers long gone.
--
-- KEYS stream promoterWake schedulerWake prefix
-- ARGV 1 group  2 consumer, '' = none in particular  3 idle_ms  others that hold nothing and have been idle for so long
-- Reply { removed }
--
-- Races: XGROUP DELCONSUMER throws pending entries away, so the count is read in the same script.
local group = ARGV[1]
local removed = 0
for index, stream in ipairs({ KEYS[1], KEYS[2], KEYS[3] }) do
  if redis.call('EXISTS', stream) == 1 then
    -- Without its group there is nobody to remove.
    local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, group)
    for _, consumer in ipairs(consumers) do
      local of = {}
      for i = 1, #consumer, 2 do
        of[consumer[i]] = consumer[i + 1]
      end
      if of.pending == 0 and (of.name == ARGV[2] or of.idle >= tonumber(ARGV[3])) then
        redis.call('XGROUP', 'DELCONSUMER', stream, group, of.name)
        if index == 1 then
          redis.call('DEL', KEYS[4] .. 'wake:worker:' .. of.name)
        end
        removed = removed + 1
      end
    end
  end
end
return removed
