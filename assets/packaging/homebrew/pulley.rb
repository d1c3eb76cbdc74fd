# The command line and the daemon, for macOS and Linux. .ci/dist fills in what is in double braces.
class Pulley < Formula
  desc "Local proxy and registry mirror that makes docker pull fast and dependable"
  homepage "{{home}}"
  version "{{version}}"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "{{url}}/{{file:darwin_arm64.tar.gz}}"
      sha256 "{{sum:darwin_arm64.tar.gz}}"
    end
    on_intel do
      url "{{url}}/{{file:darwin_amd64.tar.gz}}"
      sha256 "{{sum:darwin_amd64.tar.gz}}"
    end
  end

  on_linux do
    on_arm do
      url "{{url}}/{{file:linux_arm64.tar.gz}}"
      sha256 "{{sum:linux_arm64.tar.gz}}"
    end
    on_intel do
      url "{{url}}/{{file:linux_amd64.tar.gz}}"
      sha256 "{{sum:linux_amd64.tar.gz}}"
    end
  end

  def install
    bin.install "bin/pulley"
    man1.install Dir["share/man/man1/*"]
    bash_completion.install "share/bash-completion/completions/pulley"
    zsh_completion.install "share/zsh/site-functions/_pulley"
    fish_completion.install "share/fish/vendor_completions.d/pulley.fish"
  end

  service do
    run [opt_bin/"pulley", "service", "run"]
    keep_alive true
  end

  def caveats
    <<~EOS
      To have it run from your login on: brew services start pulley
      Before you uninstall it: pulley disconnect && pulley ca untrust
    EOS
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/pulley version")
  end
end
