-- @include lib/stream-info

-- The id of the newest entry that the stream ever had. The stream must exist.
local function last_id_of(stream)
  return table_of(redis.call('XINFO', 'STREAM', stream))['last-generated-id']
end

-- A sealed stream accepts no entries: somebody wrote an entry with the greatest possible id by hand. A script that found
-- this out after it has removed a job elsewhere would lose the job, so it asks first. Returns the error to reply with; nil
-- if the stream accepts entries.
local function seal_of(stream)
  if redis.call('EXISTS', stream) == 1 and last_id_of(stream) == '18446744073709551615-18446744073709551615' then
    return redis.error_reply('ERR The stream has exhausted the last possible ID')
  end
  return nil
end
