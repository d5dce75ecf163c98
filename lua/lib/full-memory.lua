-- At the memory limit, Redis refuses a script whose first write may need memory. This write needs none and changes nothing,
-- so the rest of the script is carried out. Scripts that move or end jobs call it: a full server must be able to drain.
local function allow_writes_at_memory_limit(prefix)
  redis.call('DEL', prefix .. 'nothing')
end
