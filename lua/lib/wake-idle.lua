-- Wakes workers of a gated queue: see lib/wake.lua.

-- Workers of a gated queue with free handlers are in the sorted set `wake:idle`, by the unix ms at which they last asked for
-- work. Wakes at most so many of them, those first that have asked last: a worker that has died does not ask any more.
local function wake_idle(prefix, most)
  local idle = prefix .. 'wake:idle'
  most = math.min(most, 100)
  while most > 0 do
    local popped = redis.pcall('ZPOPMAX', idle, most)
    for i = 1, #popped, 2 do
      local added = redis.pcall('XADD', prefix .. 'wake:worker:' .. popped[i], 'NOMKSTREAM', 'MAXLEN', '~', 100, '*', 'take', '1')
      -- Otherwise the worker has left, and the next one is woken instead.
      if type(added) == 'string' then
        most = most - 1
      end
    end
    if #popped == 0 then
      return
    end
  end
end
