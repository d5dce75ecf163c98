-- At the memory limit the first write of a script decides: where that may take memory, the script fails. This one takes
-- none and changes nothing, so that what follows is carried out. For scripts that move or end jobs: a full server must
-- drain, whatever else a script has to write.
local function may_drain(prefix)
  redis.call('DEL', prefix .. 'nothing')
end
