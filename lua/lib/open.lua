-- An entry with the greatest possible id, written by hand, blocks every later XADD to its stream. A script that would find
-- out after it has taken a job from its place would lose the job, so it asks here first. Nil where the stream takes
-- entries, else the error to return.
local function sealed(stream)
  if redis.call('EXISTS', stream) == 0 then
    return nil
  end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' and info[i + 1] == '18446744073709551615-18446744073709551615' then
      return redis.error_reply('ERR The stream has exhausted the last possible ID')
    end
  end
  return nil
end
