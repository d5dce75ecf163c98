-- Adds an entry to the end of the work stream that replaces one there, and corrects the marker of the job. `fields`: those of
-- the old entry. `bytes`: the new bytes of the Job, '' = the same. Returns the id of the entry.
-- @include lib/envelope
local function add_again(stream, prefix, fields, bytes)
  local job_id, keep
  for f = 1, #fields, 2 do
    if fields[f] == 'd' then
      if bytes ~= '' then
        fields[f + 1] = bytes
      end
      job_id = job_id_of(fields[f + 1])
    elseif fields[f] == 'u' then
      keep = fields[f + 1]
    end
  end
  -- `unpack` fails near 8,000 values: of a hostile entry with more fields than that, the first are kept.
  local added = redis.call('XADD', stream, '*', unpack(fields, 1, math.min(#fields, 4000)))
  if job_id and keep then
    redis.call('SET', prefix .. 'dlid:' .. job_id, keep .. ':' .. added, 'XX', 'KEEPTTL')
  end
  return added
end
