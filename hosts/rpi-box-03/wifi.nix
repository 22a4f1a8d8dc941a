# Wi-Fi, whose password is a secret of this host: `pisec add rpi-box-03 WIFI_SECRETS` takes lines such as
# psk_home=the password, for each network one.
#
# Decrypting needs no network, only the host key that is on the card from the start, and every secret is
# there before sysinit.target: so this comes up at the first boot, too. Should one secret of the host be
# unreadable, none is installed, and after a reboot there is no Wi-Fi: such a deploy fails, and is to be
# mended before the host is restarted.
{ config, ... }:

let
  secret = config.pistack.secrets.WIFI_SECRETS;
in
{
  networking.wireless = {
    enable = true;
    interfaces = [ "wlan0" ];
    secretsFile = secret.path;
    networks."home-lab".pskRaw = "ext:psk_home";
  };

  # wpa_supplicant is not root. Who reads a secret is a number, so its group has a fixed one.
  users.groups.wpa_supplicant.gid = 400;
  pistack.secrets.WIFI_SECRETS = {
    mode = "0440";
    inherit (config.users.groups.wpa_supplicant) gid;
  };

  systemd.services.wpa_supplicant-wlan0 = {
    wants = [ "pistack-secrets.service" ];
    after = [ "pistack-secrets.service" ];
    # The file is bound into its root, where it stays the old one. Another version is another value: to
    # rekey the file changes nothing.
    restartTriggers = [ secret.version ];
  };
}
