-- @include lib/pages
-- @include lib/pending
-- @include lib/job-filter

-- Rows of replies, one per job, as lib/redis/scripts/lib/job-rows.ts reads them.

-- An entry of the work stream: its id, the job's id, the msgpack Job, the name, the consumer, and how many runs have started.
-- '' and 0 where there is none. `owner`: from pending_of; nil if the job waits.
local function entry_row(entry, owner)
  local fields = entry[2]
  local d = field_of(fields, 'd') or ''
  return { 'entry', entry[1], job_id_of(d) or '', d, field_of(fields, 'n') or '', owner and owner[1] or '', owner and owner[2] or 0 }
end

-- A member of the delayed set: the name and the msgpack Job, '' for other bytes than a delayed member.
local function split_member(member)
  local is_job, name, d = pcall(function()
    local length = struct.unpack('<I4', member)
    return string.sub(member, 5, 4 + length), string.sub(member, 5 + length)
  end)
  if is_job then
    return name, d
  end
  return '', ''
end

local function member_row(member, score)
  local _, d = split_member(member)
  return { 'member', job_id_of(d) or '', member, score }
end

local function letter_row(letter)
  return { 'letter', letter[1], letter[2] }
end
