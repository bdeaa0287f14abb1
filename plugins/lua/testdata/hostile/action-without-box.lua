-- expect: error: write box:fileinto(...)
function deliver(m, box)
  fileinto("Junk")
end
