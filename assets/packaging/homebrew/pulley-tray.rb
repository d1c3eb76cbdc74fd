# The app for macOS, with the daemon inside. .ci/dist fills in what is in double braces, if there is such a bundle:
# assets/packaging/macos/build makes one on a Mac.
cask "pulley-tray" do
  version "{{version}}"
  sha256 "{{sum:tray_darwin.zip}}"

  url "{{url}}/{{file:tray_darwin.zip}}"
  name "Pulley"
  desc "Makes docker pull fast and dependable"
  homepage "{{home}}"

  depends_on macos: ">= :monterey"

  app "Pulley.app"

  uninstall quit: "app.pulley.tray"

  zap trash: [
    "~/Library/Application Support/Pulley",
    "~/Library/Caches/Pulley",
    "~/Library/Logs/Pulley",
  ]
end
