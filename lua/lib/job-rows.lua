-- @include lib/pages
-- @include lib/pending
-- @include lib/job-filter
-- @include lib/delayed-member
-- @include lib/room

-- Rows of replies, one per job, as lib/redis/scripts/lib/job-rows.ts reads them.

-- An entry of the work stream: its id, the job's id, the msgpack Job, the name, the consumer, and how many runs have started.
-- '' and 0 where there is none. `owner`: from pending_of; nil if the job waits.
local function entry_row(entry, owner)
  local fields = entry[2]
  local d = field_of(fields, 'd') or ''
  return { 'entry', entry[1], job_id_of(d) or '', d, field_of(fields, 'n') or '', owner and owner[1] or '', owner and owner[2] or 0 }
end

local function member_row(member, score)
  local _, d = split_member(member)
  return { 'member', job_id_of(d) or '', member, score }
end

-- Of a job in the room; `place`: from split_room_member.
local function room_row(member, place)
  return { 'room', job_id_of((place or split_room_member(member)).d) or '', member, '', '' }
end

local function letter_row(letter)
  return { 'letter', letter[1], letter[2] }
end
