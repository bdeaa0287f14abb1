-- Refuses files that run when they are opened, also in archives, and archives that
-- nobody can look into.
--
-- A script of the server: scripts = ["scripts/attachments.lua"] at the top of mail.toml.

-- Names that end so are refused. Office files with macros are among them.
local REFUSED = {}
for extension in ([[
  ade adp apk appx bat chm cmd com cpl dll exe hta img inf ins iso isp jar js jse lnk
  mde msc msi msix msp mst nsh pif ps1 reg scr sct shb sys url vb vbe vbs vhd vhdx vxd
  wsc wsf wsh xll docm dotm xlsm xltm pptm potm ppam ppsm
]]):gmatch("%S+") do
  REFUSED[extension] = true
end

local REFUSE_ENCRYPTED = true -- archives with a password

-- bad returns the extension that is refused, or nil.
local function bad(name)
  -- Windows leaves spaces and points at the end of a name away.
  local extension = (name:lower():match("^.*[^%s.]") or ""):match("%.(%w+)$")
  return REFUSED[extension or ""] and extension
end

local function refuse(name, why)
  log("refused", name, why)
  return reject(550, "5.7.1", "The attachment " .. name:gsub("%c", " "):sub(1, 100) .. " is refused: " .. why)
end

local function check(m)
  for _, file in ipairs(m:attachments()) do
    if bad(file.name) then
      return refuse(file.name, "files of this kind are not taken")
    end
    for _, inner in ipairs(file.files) do
      if bad(inner) or inner:lower():find("vbaproject.bin", 1, true) then
        return refuse(file.name, "it holds " .. inner:gsub("%c", " "):sub(1, 60))
      end
    end
    if REFUSE_ENCRYPTED and file.encrypted then
      return refuse(file.name, "it needs a password, so nobody can see what is in it")
    end
  end
end

function data(c, m)
  return check(m)
end

function submit(c, m)
  return check(m)
end
