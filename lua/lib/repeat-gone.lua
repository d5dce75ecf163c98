-- Remembers for a day that a spec is gone because somebody removed it, or because it is over. One that is gone without this
-- was lost with Redis's data, and is registered again by the applications that declare it: see repeat/declared.ts.
local function gone_key(prefix, key)
  return prefix .. 'repeat:gone:' .. key
end

local function remember_gone(prefix, key)
  redis.call('SET', gone_key(prefix, key), '1', 'PX', 86400000)
end
